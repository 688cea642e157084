"""Text in, text out: a saved folder loaded, and every way of decoding through the front door."""

import pytest
import torch

import cutaway
from cutaway import generate as decoding
from cutaway.errors import ConfigError, GenerationError, ModelNotFoundError
from cutaway.language_model import LanguageModel, fastest_device, load
from cutaway.sampling import BeamParams, ContrastiveParams, SamplingParams
from cutaway.tokenizer import CharTokenizer, Tokenizer
from cutaway.tokenizer.vocabulary import Vocabulary
from tiny import EOT, STORY, TOKENIZER, tiny_model

PROMPT = "the little fox"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    LanguageModel(tiny_model(1, dtype=torch.float32, eot=EOT), TOKENIZER).save(path)
    return path


@pytest.fixture(scope="module")
def gpt(folder):
    return load(folder, device="cpu")


def test_a_saved_folder_comes_back_as_the_same_model(gpt, folder):
    original = tiny_model(1, dtype=torch.float32, eot=EOT)
    assert gpt.config == original.config
    assert gpt.tokenizer == TOKENIZER
    assert gpt.name == str(folder)
    ids = torch.tensor([gpt.ids(PROMPT)])
    torch.testing.assert_close(gpt.model(ids)[0], original(ids)[0])


def test_a_model_of_characters_is_saved_loaded_and_writes(tmp_path):
    characters = CharTokenizer.from_texts([STORY])
    model = tiny_model(2, dtype=torch.float32, vocab_size=characters.n_vocab)
    LanguageModel(model, characters).save(tmp_path / "characters")
    gpt = load(tmp_path / "characters", device="cpu")
    assert gpt.tokenizer == characters
    made = gpt.generate("fox", seed=0, max_tokens=20)
    assert len(made.text) == 20
    assert set(made.text) <= set(characters.characters)
    assert gpt.beam_search("fox", 2, max_tokens=5).samples[0].finish_reason == "length"


def test_cutaway_load_is_this_load():
    assert cutaway.load is load
    assert cutaway.LanguageModel is LanguageModel


def test_generate_is_the_plain_loop_on_the_prompts_ids(gpt):
    made = gpt.generate(PROMPT, seed=3, max_tokens=10, n=2)
    params = SamplingParams(seed=3, max_tokens=10, n=2)
    assert made == decoding.generate(gpt.model, TOKENIZER, [TOKENIZER.encode(PROMPT)], params)[0]
    assert made.prompt == PROMPT
    assert len(made.samples) == 2


def test_parameters_may_come_as_an_object_and_be_changed_by_name(gpt):
    params = SamplingParams(temperature=0, max_tokens=3)
    assert len(gpt.generate(PROMPT, params, ignore_eot=True).samples[0].tokens) == 3
    assert len(gpt.generate(PROMPT, params, ignore_eot=True, max_tokens=5).samples[0].tokens) == 5
    assert params.max_tokens == 3


def test_token_ids_serve_as_a_prompt_too(gpt):
    greedy = {"temperature": 0, "max_tokens": 5}
    assert gpt.generate(tuple(TOKENIZER.encode(PROMPT)), **greedy) == gpt.generate(PROMPT, **greedy)


def test_a_batch_gives_each_prompt_what_it_gets_alone(gpt):
    prompts = [PROMPT, "a", "", [5, 6, 7]]
    options = {"seed": 5, "max_tokens": 8, "n": 2}
    together = gpt.generate_batch(prompts, **options)
    alone = [gpt.generate(prompt, **options) for prompt in prompts]
    assert [made.prompt_tokens for made in together] == [made.prompt_tokens for made in alone]
    for one, other in zip(together, alone, strict=True):
        assert [sample.tokens for sample in one.samples] == [sample.tokens for sample in other.samples]
        assert [sample.text for sample in one.samples] == [sample.text for sample in other.samples]


def test_a_stream_adds_up_to_the_text(gpt):
    options = {"seed": 6, "max_tokens": 20, "ignore_eot": True}
    steps = list(gpt.stream(PROMPT, **options))
    assert "".join(step.text for step in steps) == gpt.generate(PROMPT, **options).text
    assert len(steps) == 20


def test_beam_search_takes_a_number_or_parameters(gpt):
    options = {"max_tokens": 6, "n": 2}
    by_number, by_params = (gpt.beam_search(PROMPT, beams, **options) for beams in (3, BeamParams(beams=3)))
    assert by_number == by_params
    assert len(by_number.samples) == 2


def test_contrastive_search_without_contrast_is_greedy(gpt):
    greedy = gpt.generate(PROMPT, temperature=0, max_tokens=6).samples[0]
    assert gpt.contrastive_search(PROMPT, ContrastiveParams(alpha=0), max_tokens=6).samples[0].tokens == greedy.tokens
    assert gpt.contrastive_search(PROMPT, max_tokens=6).prompt == PROMPT


def test_score_and_the_next_token_table_speak_of_every_token(gpt):
    ids = TOKENIZER.encode(PROMPT)
    assert [token.token for token in gpt.score(PROMPT)] == ids
    assert [len(token.predictions) for token in gpt.next_tokens(PROMPT)] == [10] * len(ids)
    assert [len(token.predictions) for token in gpt.next_tokens(PROMPT, top=2)] == [2] * len(ids)


def test_an_empty_prompt_starts_from_endoftext(gpt):
    assert gpt.ids("") == gpt.ids([]) == [EOT]
    assert gpt.generate("", max_tokens=2, seed=0).prompt_tokens == (EOT,)


def test_an_empty_prompt_without_endoftext_is_refused(gpt):
    bare = Tokenizer(Vocabulary.from_merges(TOKENIZER.vocabulary.merges, special_tokens=()))
    with pytest.raises(GenerationError, match=r"the prompt is empty and this vocabulary has no <\|endoftext\|>"):
        LanguageModel(gpt.model, bare).generate("")


def test_text_that_looks_like_endoftext_is_ordinary(gpt):
    assert EOT not in gpt.ids("<|endoftext|>")


def test_an_unknown_parameter_suggests_the_nearest(gpt):
    for decode in (gpt.generate, gpt.stream, lambda prompt, **given: gpt.beam_search(prompt, 2, **given)):
        with pytest.raises(GenerationError, match="no sampling parameter 'max_token'; did you mean 'max_tokens'"):
            decode(PROMPT, max_token=3)


def test_it_says_what_it_is(gpt, folder):
    count = gpt.model.num_parameters()
    assert repr(gpt) == f"LanguageModel({str(folder)!r}, {count:,} parameters, torch.float32 on cpu)"


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_the_number_format_can_be_chosen(folder, dtype):
    gpt = load(folder, device="cpu", dtype=dtype)
    assert gpt.model.dtype == getattr(torch, dtype)
    assert gpt.generate(PROMPT, max_tokens=2, seed=0).samples


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"dtype": "float12"}, "float12"),
        ({"dtype": "int8"}, "int8"),
        ({"device": "toaster"}, "toaster"),
        ({"device": "cpu:x"}, "cpu:x"),
    ],
)
def test_devices_and_formats_that_do_not_exist_are_refused_by_name(folder, options, named):
    with pytest.raises(ConfigError, match=named):
        load(folder, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what the test asks for in vain")
def test_a_device_that_is_not_here_is_refused(folder):
    with pytest.raises(ConfigError, match="cuda"):
        load(folder, device="cuda")


def test_auto_is_a_device_of_this_machine(folder):
    assert load(folder).model.device.type == fastest_device()


def test_a_model_that_is_nowhere_is_not_found(tmp_path):
    with pytest.raises(ModelNotFoundError):
        load(tmp_path / "nothing")
