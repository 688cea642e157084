"""A native network with its tokenizer writes what PyTorch's does, and the command line needs no PyTorch for it."""

import json
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import cutaway
from command_line import COMMAND, environment, run, tiny
from cutaway import language_model, text_generator
from cutaway.errors import CheckpointError, ConfigError, GenerationError, ModelNotFoundError
from cutaway.generate import generate, stream
from cutaway.language_model import LanguageModel, load, load_generator
from cutaway.native import NativeModel, NativeReader
from cutaway.native.library import LIBRARY_VARIABLE
from cutaway.sampling import SamplingParams, uniforms
from cutaway.text_generator import TextGenerator
from cutaway.weights.native import suits_native
from native_models import native_model, needs_kernels
from tiny import EOT, TOKENIZER, prompt_of, tiny_model

PROMPT = "Once upon a time"
STORY_OF_A_KING = "The king of the frogs was old, and his three sons"


@pytest.fixture(scope="module")
def plain():
    return load(device="cpu")


@pytest.fixture(scope="module")
def native():
    return load_generator(device="cpu")


@pytest.fixture
def without_kernels(monkeypatch, tmp_path):
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "nothing.so"))


@needs_kernels
def test_on_a_cpu_it_is_native_and_next_to_it_load_stays_pytorch(native, plain):
    assert type(native) is TextGenerator
    assert isinstance(native.model, NativeModel)
    assert isinstance(plain, LanguageModel)
    assert (native.name, native.config, native.tokenizer) == (plain.name, plain.config, plain.tokenizer)
    assert repr(native).startswith("TextGenerator('fable', NativeModel(float32 for ")


@needs_kernels
@pytest.mark.parametrize("prompt", [PROMPT, STORY_OF_A_KING, ""])
def test_greedy_text_equals_pytorchs_up_to_the_context_and_past_it(prompt, native, plain):
    options = {"temperature": 0, "max_tokens": native.config.block_size + 44, "ignore_eot": True}
    assert native.generate(prompt, **options).text == plain.generate(prompt, **options).text


@needs_kernels
def test_a_seed_draws_what_it_draws_in_pytorch_but_where_rounding_decides(native, plain):
    """An equal text cannot be asked for: in float32, PyTorch's own changes with the size of the batch now and then."""
    prompt = native.ids(PROMPT)
    for seed in range(8):
        options = {"temperature": 1, "top_k": 0, "top_p": 1, "max_tokens": 100, "ignore_eot": True}
        made = native.generate(prompt, seed=seed, n=2, **options)
        for number, sample in enumerate(made.samples):
            ids = torch.tensor([[*prompt, *sample.tokens]])
            with torch.inference_mode():
                probs = plain.model(ids)[0][0, len(prompt) - 1 : -1].double().softmax(dim=-1)
            upper, chosen = probs.cumsum(dim=-1), torch.tensor(sample.tokens)[:, None]
            numbers = torch.tensor(list(islice(uniforms(seed, number), len(sample.tokens))))[:, None]
            assert (numbers <= upper.gather(1, chosen) + 1e-4).all()
            assert (numbers >= (upper - probs).gather(1, chosen) - 1e-4).all()


@needs_kernels
def test_a_seed_gives_exactly_the_same_text_alone_and_in_company(native):
    for seed in range(4):
        options = {"seed": seed, "max_tokens": 60, "ignore_eot": True}
        alone = native.generate(PROMPT, **options).samples[0]
        company = native.generate_batch([STORY_OF_A_KING, PROMPT, ""], n=2, **options)
        assert company[1].samples[0] == alone


@needs_kernels
def test_penalties_bans_and_stops_have_the_effect_they_have_in_pytorch():
    model = tiny_model(5, eot=EOT, dtype=torch.float32)
    network = native_model(model, threads=2)
    params = SamplingParams(
        temperature=0,
        repetition_penalty=1.1,
        frequency_penalty=0.2,
        no_repeat_ngram_size=3,
        logit_bias={5: 1.5},
        banned_tokens=(1, 2),
        stop=("fox",),
        max_tokens=40,  # past the context of 32
        logprobs=3,
        n=2,
    )
    prompts = [prompt_of(length, length) for length in (1, 9, 30, 50)]
    for got, expected in zip(
        generate(network, TOKENIZER, prompts, params), generate(model, TOKENIZER, prompts, params), strict=True
    ):
        assert got.prompt_tokens == expected.prompt_tokens
        for one, other in zip(got.samples, expected.samples, strict=True):
            assert (one.text, one.tokens, one.finish_reason) == (other.text, other.tokens, other.finish_reason)
            np.testing.assert_allclose(one.logprobs, other.logprobs, rtol=0, atol=1e-4)
            assert [list(top) for top in one.top_logprobs] == [list(top) for top in other.top_logprobs]


@needs_kernels
def test_all_samples_of_a_batch_share_one_prefill(native, monkeypatch):
    reads, original = [], NativeModel.forward

    def forward(self, cache, slots, tokens, answers=None):
        reads.append([len(new) for new in tokens])
        return original(self, cache, slots, tokens, answers)

    monkeypatch.setattr(NativeModel, "forward", forward)
    prompts = [native.ids(PROMPT), native.ids(STORY_OF_A_KING)]
    native.generate_batch(prompts, n=2, max_tokens=3, seed=0, ignore_eot=True)
    assert reads == [[len(prompt) for prompt in prompts], [1] * 4, [1] * 4]


@pytest.fixture(scope="module")
def sharp():
    """A small model in native hands, whose texts end now and then and soon pass its context of 32."""
    return TextGenerator(native_model(tiny_model(5, eot=EOT, dtype=torch.float32), threads=2), TOKENIZER)


TURNS = {
    "drawn": {"seed": 3, "top_p": 0.9, "logprobs": 2},
    "greedy, penalized": {"temperature": 0, "repetition_penalty": 1.2, "no_repeat_ngram_size": 2},
    "past the context": {"seed": 4, "max_tokens": 50, "ignore_eot": True},
    "sliding": {"seed": 5, "max_tokens": 40, "ignore_eot": True, "past_context": "slide"},
}


@needs_kernels
@pytest.mark.parametrize("changes", TURNS.values(), ids=TURNS)
def test_many_samples_take_turns_and_each_is_what_it_is_alone_to_the_bit(changes, sharp, monkeypatch):
    monkeypatch.setattr(text_generator, "TOGETHER", 3)
    prompts = [prompt_of(length, length) for length in (1, 9, 9, 30, 50, 4)]
    prompts[2] = [*prompts[1], 7]  # what begins alike is read once
    made = sharp.generate_batch(prompts, n=2, **changes)
    params = SamplingParams(n=2, **changes)
    assert made == [generate(sharp.model, TOKENIZER, [prompt], params)[0] for prompt in prompts]
    assert made == generate(sharp.model, TOKENIZER, prompts, params)


@needs_kernels
def test_no_more_samples_than_may_be_are_written_at_the_same_time(sharp, monkeypatch):
    rows, original = [], NativeModel.forward

    def forward(self, cache, slots, tokens, answers=None):
        rows.append(len(slots))
        return original(self, cache, slots, tokens, answers)

    monkeypatch.setattr(NativeModel, "forward", forward)
    sharp.generate("once", n=100, max_tokens=3, seed=0, ignore_eot=True)
    assert max(rows) == text_generator.TOGETHER
    rows.clear()
    assert len(list(sharp.stream("once", n=100, max_tokens=3, seed=0, ignore_eot=True))) == 300
    assert max(rows) == text_generator.TOGETHER


@needs_kernels
def test_a_stream_of_many_samples_has_the_steps_of_the_loop(sharp):
    params = SamplingParams(n=text_generator.TOGETHER + 3, max_tokens=12, seed=9)
    expected, got = {}, {}
    for step in stream(sharp.model, TOKENIZER, [[5, 6]], params):
        expected.setdefault(step.sample, []).append(step)
    for step in sharp.stream([5, 6], params):
        got.setdefault(step.sample, []).append(step)
    assert got == expected


@needs_kernels
def test_what_is_wrong_with_one_of_many_is_said(sharp):
    for changes, sentence in (
        ({"logit_bias": {9_999: 1.0}}, "token id 9,999"),
        ({"banned_tokens": range(272)}, "every"),
    ):
        with pytest.raises(GenerationError, match=sentence):
            sharp.generate("once", n=40, **changes)
        with pytest.raises(GenerationError, match=sentence):
            list(sharp.stream("once", n=40, **changes))
    with pytest.raises(GenerationError, match="not in the model's vocabulary"):
        sharp.generate_batch([[9_999]] * 40)


@needs_kernels
def test_a_stream_adds_up_to_the_text(native):
    options = {"seed": 6, "max_tokens": 20, "ignore_eot": True}
    steps = list(native.stream(PROMPT, **options))
    assert "".join(step.text for step in steps) == native.generate(PROMPT, **options).text
    assert len(steps) == 20


@needs_kernels
@pytest.mark.parametrize("prompt", [[9_000], [-1], [9_000] + [5] * 300])
def test_ids_that_are_not_in_the_vocabulary_are_refused_in_the_same_words(prompt, native, plain):
    sentences = []
    for gpt in (native, plain):
        with pytest.raises(GenerationError, match="not in the model's vocabulary of 8,192") as refusal:
            gpt.generate(prompt, max_tokens=1)
        sentences.append(str(refusal.value))
    assert sentences[0] == sentences[1]


@pytest.mark.usefixtures("without_kernels")
def test_without_kernels_it_is_what_load_returns(plain):
    gpt = load_generator(device="cpu")
    assert isinstance(gpt, LanguageModel)
    assert gpt.generate(PROMPT, seed=1, max_tokens=9) == plain.generate(PROMPT, seed=1, max_tokens=9)


@needs_kernels
@pytest.mark.parametrize("dtype", ["bfloat16", "int8", "int4", "w8a8"])
def test_kernels_round_to_the_format_asked_for(dtype):
    gpt = load_generator(tiny(), device="cpu", dtype=dtype)
    assert gpt.model.precision == dtype
    assert gpt.generate("once", seed=1, max_tokens=3).samples


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize("dtype", ["int8", "int4", "w8a8"])
def test_without_kernels_whole_numbers_are_refused(dtype):
    with pytest.raises(ConfigError, match=f"PyTorch does not compute in {dtype}; native kernels do"):
        load_generator(tiny(), device="cpu", dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_another_number_format_is_pytorchs(dtype):
    gpt = load_generator(tiny(), device="cpu", dtype=dtype)
    assert isinstance(gpt, LanguageModel)
    assert gpt.model.dtype == getattr(torch, dtype)


def test_a_pickle_is_pytorchs(tmp_path):
    gpt = load(tiny(), device="cpu")
    gpt.save(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save(gpt.model.state_dict(), tmp_path / "model" / "pytorch_model.bin")
    assert not suits_native(tmp_path / "model")


@needs_kernels
def test_heads_too_wide_for_the_kernels_are_pytorchs(tmp_path):
    model = tiny_model(dtype=torch.float32, n_layer=1, n_head=1, n_embd=1025)
    LanguageModel(model, TOKENIZER).save(tmp_path / "wide")
    assert isinstance(load_generator(tmp_path / "wide", device="cpu"), LanguageModel)


@pytest.fixture
def gpu_asked(monkeypatch):
    """Whether PyTorch was asked for the fastest device; it answers cpu."""
    asked = []
    monkeypatch.setattr(language_model, "fastest_device", lambda: asked.append(True) or "cpu")
    return asked


@needs_kernels
@pytest.mark.parametrize("signs", [True, False])
def test_only_signs_of_a_gpu_have_pytorch_asked_for_one(signs, gpu_asked, monkeypatch):
    monkeypatch.setattr(language_model, "may_have_gpu", lambda: signs)
    assert type(load_generator(tiny())) is TextGenerator
    assert bool(gpu_asked) == signs


def test_drivers_are_signs_of_a_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    driver = tmp_path / "driver"
    monkeypatch.setattr(language_model, "SIGNS_OF_A_GPU", [str(driver)])
    assert not language_model.may_have_gpu()
    driver.touch()
    assert language_model.may_have_gpu()


def test_no_gpu_goes_unseen():
    if language_model.fastest_device() != "cpu":
        assert language_model.may_have_gpu()
    assert language_model.is_cpu("auto") == (language_model.fastest_device() == "cpu")


def test_on_a_gpu_it_is_pytorchs(monkeypatch):
    monkeypatch.setattr(language_model, "may_have_gpu", lambda: True)
    monkeypatch.setattr(language_model, "fastest_device", lambda: "cuda")
    assert not language_model.is_cpu("auto")
    assert language_model.is_cpu("cpu")


@pytest.mark.parametrize(
    ("options", "named"), [({"device": "toaster"}, "toaster"), ({"dtype": "float12"}, "float12"), ({}, "nothing")]
)
def test_what_cannot_be_had_is_refused_as_by_load(options, named, tmp_path):
    source = tiny() if options else tmp_path / "nothing"
    with pytest.raises((ConfigError, ModelNotFoundError), match=named):
        load_generator(source, **options)


DAMAGE = {
    "missing": lambda tensors: tensors.pop("transformer.h.1.ln_2.bias"),
    "unknown": lambda tensors: tensors.update({"score.weight": torch.ones(2)}),
    "misshapen": lambda tensors: tensors.update({"transformer.wpe.weight": torch.ones(9, 6)}),
    "of integers": lambda tensors: tensors.update({"transformer.ln_f.bias": torch.ones(16, dtype=torch.int8)}),
    "untied": lambda tensors: tensors.update({"lm_head.weight": tensors["transformer.wte.weight"] + 1}),
}


@needs_kernels
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused_in_the_same_words(damage, tmp_path):
    folder = tmp_path / "model"
    load(tiny(), device="cpu").save(folder)
    tensors = load_file(folder / "model.safetensors")
    DAMAGE[damage](tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    sentences = []
    for load_it in (load, load_generator):
        with pytest.raises(CheckpointError) as refusal:
            load_it(folder, device="cpu")
        sentences.append(str(refusal.value))
    assert sentences[0] == sentences[1]


def test_an_edit_is_never_lost():
    """Kernels know nothing of observers, so an edited model reads in PyTorch."""
    from cutaway.inspect import ablate_heads

    gpt = load(tiny(), device="cpu")
    edited = gpt.edited(ablate_heads(0, 0), ablate_heads(0, 1))
    options = {"temperature": 0, "max_tokens": 20, "logprobs": 1}
    assert edited.generate("once", **options).samples != gpt.generate("once", **options).samples


def in_a_process(*arguments, **variables):
    """Run the command in a process of its own: its output, and whether it loaded torch."""
    code = "import sys; from cutaway.cli import main; code = main(); print('torch' in sys.modules, file=sys.stderr); "
    done = subprocess.run(
        [*COMMAND[:2], code + "sys.exit(code)", *map(str, arguments)],
        capture_output=True,
        env=environment() | variables,
        input="the prompt\n" if "--json" not in arguments else None,
        encoding="utf-8",
        check=True,
    )
    return done.stdout, done.stderr.splitlines()[-1] == "True"


@needs_kernels
@pytest.mark.parametrize(
    "arguments",
    [
        [PROMPT, "--temperature", 0, "--max-tokens", 30],
        [PROMPT, "--n", 3, "--seed", 1, "--max-tokens", 8, "--temperature", 0.3, "--repetition-penalty", 1.1],
        [PROMPT, "--json", "--seed", 2, "--max-tokens", 8, "--temperature", 0.3, "--logprobs", 2],
        ["--seed", 3, "--max-tokens", 8, "--temperature", 0.3],
    ],
    ids=["greedy", "samples", "json", "pipe"],
)
def test_the_command_loads_no_torch_and_writes_what_it_writes_with_it(arguments, tmp_path):
    arguments = ["generate", *arguments, "--device", "cpu"]
    native, with_torch = in_a_process(*arguments)
    assert not with_torch
    plain, with_torch = in_a_process(*arguments, **{LIBRARY_VARIABLE: str(tmp_path / "nothing.so")})
    assert with_torch
    if "--json" in arguments:
        assert_same_json(json.loads(native), json.loads(plain))
    else:
        assert native == plain


def assert_same_json(native, plain):
    """The same but for the last digits of log-probabilities."""
    for one, other in zip(native.pop("samples"), plain.pop("samples"), strict=True):
        assert one["tokens"] == other["tokens"]
        assert one["text"] == other["text"]
        np.testing.assert_allclose(one["logprobs"], other["logprobs"], rtol=0, atol=1e-4)
    assert native == plain


@pytest.mark.parametrize("arguments", [["--beams", 2], ["--contrastive-alpha", 0.5]])
def test_searches_are_pytorchs(arguments, monkeypatch):
    monkeypatch.setattr(NativeReader, "prefill", None)
    assert run("generate", "once", *arguments, "--max-tokens", 3, "--model", tiny(), "--device", "cpu").code == 0


def test_the_facade_hands_out_both():
    assert cutaway.load_generator is load_generator
    assert cutaway.TextGenerator is TextGenerator
