"""Training: batches that depend on nothing but seed and step, a schedule that ends in time, runs that resume."""

import math
import time
import weakref
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from cutaway.errors import ConfigError, TrainingError
from cutaway.model import GPT
from cutaway.tokenizer import Tokenizer
from cutaway.train.batches import read_tokens
from cutaway.train.checkpoint import RunState, load_run, save_run
from cutaway.train.config import OptimizerConfig, TrainConfig
from cutaway.train.evaluate import bits_per_byte, token_bytes
from cutaway.train.gradients import set_gradients
from cutaway.train.head_loss import CHUNK, CHUNK_LOGITS, SLICE, add_product, become_gradient, head_loss
from cutaway.train.journal import Journal
from cutaway.train.log import RunLog
from cutaway.train.loop import train, workers_for
from cutaway.train.muon import Muon, orthogonalized
from cutaway.train.optimizer import Optimizers
from cutaway.train.run import Run
from cutaway.train.schedule import cosine_scale, learning_rate_scale, progress
from cutaway.train.workers import Workers
from training import SMALL, log_of, tiny_run, write_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def make(folder, tmp_path):
    """A configuration of a tiny run, with changes."""
    return partial(tiny_run, folder, out=tmp_path / "run")


def state_of(run):
    return {**dict(run.model.named_parameters()), **run.optimizers.state()}


# Tokens


@pytest.mark.parametrize("content", [np.zeros(3), np.zeros((3, 3), dtype=np.uint16)])
def test_a_file_that_is_no_row_of_ids_is_refused(tmp_path, content):
    np.save(tmp_path / "x.npy", content)
    with pytest.raises(TrainingError, match="expected one row of uint16 ids"):
        read_tokens(tmp_path / "x.npy", 257)


def test_an_id_outside_the_vocabulary_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([0, 257], dtype=np.uint16))
    with pytest.raises(TrainingError, match="the id 257, but the model's vocabulary has only 257"):
        read_tokens(tmp_path / "x.npy", 257)


@pytest.mark.parametrize("content", [None, b"", b"not numpy", np.array([{}], dtype=object)])
def test_an_unreadable_file_is_refused(tmp_path, content):
    if isinstance(content, bytes):
        (tmp_path / "x.npy").write_bytes(content)
    elif content is not None:
        np.save(tmp_path / "x.npy", content, allow_pickle=True)
    with pytest.raises(TrainingError, match="prepare the data first"):
        read_tokens(tmp_path / "x.npy", 257)


# The schedule


@given(st.floats(0, 1))
def test_the_rate_stays_between_zero_and_its_peak(share):
    assert 0 <= learning_rate_scale(share, warmup=0.1, decay=0.4) <= 1


@pytest.mark.parametrize(("share", "scale"), [(0, 0), (0.05, 0.5), (0.1, 1), (0.6, 1), (0.8, 0.5), (1, 0)])
def test_the_rate_rises_stays_and_falls(share, scale):
    assert learning_rate_scale(share, warmup=0.1, decay=0.4) == pytest.approx(scale)


def test_a_run_without_warmup_or_decay_keeps_its_peak():
    assert [learning_rate_scale(share, warmup=0, decay=0) for share in (0, 0.5, 1)] == [1, 1, 1]


@pytest.mark.parametrize(("share", "scale"), [(0, 0), (0.05, 0.5), (0.1, 1), (0.55, 0.55), (1, 0.1)])
def test_the_cosine_falls_to_its_final_share(share, scale):
    assert cosine_scale(share, warmup=0.1, final=0.1) == pytest.approx(scale)


@pytest.mark.parametrize("warmup", [0, 0.5, 1])
def test_the_cosine_is_defined_to_the_end(warmup):
    assert cosine_scale(1.0, warmup, final=0.2) == pytest.approx(0.2)


def test_the_fall_can_end_above_zero():
    assert learning_rate_scale(1.0, warmup=0.1, decay=0.4, final=0.25) == 0.25


@pytest.mark.parametrize(
    ("step", "elapsed_s", "minutes", "share"),
    [(25, 1e9, None, 0.25), (25, 30, 1, 0.5), (75, 30, 1, 0.75), (25, 90, 1, 1), (200, 0, 1, 1)],
)
def test_progress_is_by_steps_or_by_the_clock_whichever_is_further(step, elapsed_s, minutes, share):
    assert progress(step, 100, elapsed_s, minutes) == share


# The optimizers


@pytest.mark.parametrize("shape", [(8, 8), (8, 32), (32, 8), (3, 16, 8)])
def test_orthogonalized_matrices_have_singular_values_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalized(matrices))
    assert 0.5 < values.min()
    assert values.max() < 1.3


def test_muon_takes_stacked_matrices_one_by_one():
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(4, 4, generator=generator) for _ in range(3)]
    together, alone = torch.zeros(12, 4, requires_grad=True), [torch.zeros(4, 4, requires_grad=True) for _ in parts]
    together.grad = torch.cat(parts)
    for weight, grad in zip(alone, parts, strict=True):
        weight.grad = grad
    Muon([{"params": [together], "stacked": 3}], lr=0.1, momentum=0.9).step()
    Muon([{"params": alone}], lr=0.1, momentum=0.9).step()
    torch.testing.assert_close(together, torch.cat(alone))


def test_matrices_inside_the_layers_go_to_muon_and_the_rest_to_adamw():
    optimizers = Optimizers(GPT(SMALL), OptimizerConfig())
    muon, adamw = ({p for g in o.param_groups for p in g["params"]} for o in optimizers.optimizers)
    assert not muon & adamw
    assert muon | adamw == set(optimizers.parameters.values())
    assert {name.split(".", 2)[2] for name, p in optimizers.parameters.items() if p in muon} == {
        "attn.c_attn.weight",
        "attn.c_proj.weight",
        "mlp.c_fc.weight",
        "mlp.c_proj.weight",
    }


def test_learning_rates_are_shares_of_their_peaks():
    optimizers = Optimizers(GPT(SMALL), OptimizerConfig(muon_lr=0.1, adamw_lr=0.01))
    for scale in (0.5, 0.25):
        optimizers.set_learning_rate(scale)
        rates = [group["lr"] for optimizer in optimizers.optimizers for group in optimizer.param_groups]
        assert rates == [scale * 0.1] * 2 + [scale * 0.01] * 2


def test_a_memory_of_an_unknown_weight_is_refused():
    with pytest.raises(TrainingError, match=r"'h\.9\.x'"):
        Optimizers(GPT(SMALL), OptimizerConfig()).load_state({"h.9.x:momentum": torch.zeros(1)})


# The loss and the gradients


@pytest.mark.parametrize("chunk_logits", [CHUNK_LOGITS, 40])
def test_the_head_loss_is_the_cross_entropy_and_has_its_gradients(chunk_logits, monkeypatch):
    monkeypatch.setattr("cutaway.train.head_loss.CHUNK_LOGITS", chunk_logits)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, CHUNK - 3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(11, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(11, (2, CHUNK - 3), generator=generator)
    plain = F.cross_entropy((hidden @ weight.T).flatten(0, 1), targets.flatten())
    ours = head_loss(hidden, weight, targets)
    torch.testing.assert_close(ours, plain)
    for got, expected in zip(
        torch.autograd.grad(3 * ours, (hidden, weight)), torch.autograd.grad(3 * plain, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_targets_of_minus_100_are_left_out():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(1, 9, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(11, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[3, -100, 0, -100, 10, 10, 1, -100, 2]])
    plain = F.cross_entropy((hidden @ weight.T)[0], targets[0], ignore_index=-100)
    ours = head_loss(hidden, weight, targets)
    torch.testing.assert_close(ours, plain)
    grads, expected = (torch.autograd.grad(loss, (hidden, weight)) for loss in (ours, plain))
    torch.testing.assert_close(grads, expected)


@pytest.mark.parametrize("rows", [SLICE, 7])
def test_under_autocast_the_head_loss_is_close_and_its_gradients_stay_float32(rows, monkeypatch):
    monkeypatch.setattr("cutaway.train.head_loss.SLICE", rows)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 40, 32, generator=generator, requires_grad=True)
    weight = torch.randn(50, 32, generator=generator, requires_grad=True)
    targets = torch.randint(50, (2, 40), generator=generator)
    plain = head_loss(hidden, weight, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = head_loss(hidden, weight, targets)
    assert ours != plain, "the multiplications should have been rounded"
    torch.testing.assert_close(ours, plain, rtol=0.01, atol=0)
    grads, expected = (torch.autograd.grad(loss, (hidden, weight)) for loss in (ours, plain))
    assert all(grad.dtype == torch.float32 for grad in grads)
    torch.testing.assert_close(grads, expected, rtol=0.1, atol=1e-3)


@pytest.mark.parametrize("tied", [True, False])
def test_the_gradient_of_the_heads_weight_stays_where_the_head_made_it(make, tied, monkeypatch):
    made = []
    remembering = lambda total, *rest: made.append(total.data_ptr()) or add_product(total, *rest)  # noqa: E731
    monkeypatch.setattr("cutaway.train.head_loss.add_product", remembering)
    config = make(model=SMALL.replace(tie_word_embeddings=tied), micro_rows=4)
    with workers_for(config) as workers:
        run = Run(config, workers, time.monotonic)
        monkeypatch.setattr(run.optimizers, "step", lambda: None)
        run.train_step()
    assert set(made) == {run.model.lm_head.weight.grad.data_ptr()}


def test_the_head_loss_has_memory_for_one_chunk_at_a_time(monkeypatch):
    monkeypatch.setattr("cutaway.train.head_loss.CHUNK", 4)
    alive, most = [], []

    def counting(logits, targets):
        alive.append(weakref.ref(logits))
        most.append(sum(chunk() is not None for chunk in alive))
        return become_gradient(logits, targets)

    monkeypatch.setattr("cutaway.train.head_loss.become_gradient", counting)
    hidden, weight = torch.randn(1, 12, 8, requires_grad=True), torch.randn(11, 8, requires_grad=True)
    head_loss(hidden, weight, torch.zeros(1, 12, dtype=torch.long))
    assert most == [1, 1, 1]


@pytest.mark.parametrize(("micro_rows", "threads", "scale"), [(6, 1, 1), (2, 1, 1024), (1, 2, 1), (3, 2, 8)])
def test_parts_of_a_batch_add_up_to_its_gradient(micro_rows, threads, scale):
    torch.manual_seed(0)
    model = GPT(SMALL).double()
    idx = torch.randint(257, (6, 16))
    _, loss = model(idx, idx)
    expected = torch.autograd.grad(loss, list(model.parameters()))
    parts = list(zip(idx.split(micro_rows), idx.split(micro_rows), strict=True))
    with Workers(threads) as workers:
        got = set_gradients(lambda part: model(*part)[1], list(model.parameters()), parts, workers, scale)
    assert got.item() == pytest.approx(loss.item())
    for parameter, grad in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, grad)


@pytest.mark.parametrize("spoilt", [False, True])
def test_a_loss_that_is_no_number_ends_the_run_and_names_the_way_back(make, spoilt):
    with Workers(1) as workers:
        run = Run(make(), workers, time.monotonic)
        run.checkpoints.prepare()
        run.train_step()
        saved = run.save() if spoilt else None
        torch.nn.init.constant_(run.model.wte.weight, torch.inf)
        with pytest.raises(TrainingError, match="at step 1 the loss became nan") as error:
            run.train_step()
    assert (f"last good checkpoint, {saved}" if spoilt else "start again") in str(error.value)


def test_pytorch_has_its_threads_back_after_the_work():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with Workers(2) as workers:
            assert list(workers.map(lambda _: torch.get_num_threads(), range(4))) == [1] * 4
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


# Evaluation


def test_tokens_count_their_bytes_and_special_tokens_none():
    tokenizer = Tokenizer.train(["ab ab ab é"], 259)
    sizes = token_bytes(tokenizer)
    assert sizes[tokenizer.encode("ab é")].sum() == len("ab é".encode())
    assert sizes[tokenizer.eot] == 0


def test_an_untrained_model_needs_about_log2_of_the_vocabulary_bits_for_each_byte(folder):
    tokens = read_tokens(folder / "text.npy", 257)
    model = GPT(SMALL)
    torch.nn.init.zeros_(model.wte.weight)
    bits = bits_per_byte(model, tokens, token_bytes(Tokenizer.from_folder(folder)))
    assert bits == pytest.approx(math.log2(257))


def test_bits_per_byte_count_every_token_but_the_first_once():
    torch.manual_seed(0)
    model, sizes = GPT(SMALL).double(), torch.ones(257, dtype=torch.int64)
    tokens = torch.randint(257, (39,))
    nats = [
        model(part[None, :-1], part[None, 1:])[1].item() * (len(part) - 1)
        for part in (tokens[0:17], tokens[16:33], tokens[32:39])
    ]
    got = bits_per_byte(model, tokens.numpy().astype(np.uint16), sizes)
    assert got == pytest.approx(sum(nats) / math.log(2) / 38)


def test_a_text_of_one_token_cannot_be_evaluated():
    with pytest.raises(TrainingError, match="no text to predict"):
        bits_per_byte(GPT(SMALL), np.zeros(1, dtype=np.uint16), torch.ones(257, dtype=torch.int64))


# Checkpoints


def test_a_saved_run_comes_back_exactly(tmp_path):
    state = RunState(step=7, elapsed_s=0.1, weights={"w": torch.randn(3)}, optimizer={"w:m": torch.randn(3)})
    save_run(state, tmp_path / "run.safetensors")
    back = load_run(tmp_path / "run.safetensors")
    assert (back.step, back.elapsed_s) == (7, 0.1)
    assert torch.equal(back.weights["w"], state.weights["w"])
    assert torch.equal(back.optimizer["w:m"], state.optimizer["w:m"])
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


def test_a_truncated_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    save_run(RunState(step=1, elapsed_s=1.0, weights={"w": torch.zeros(99)}, optimizer={}), path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(TrainingError, match="delete it to start anew"):
        load_run(path)


def test_another_safetensors_file_is_no_checkpoint(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(TrainingError, match="is not a saved run"):
        load_run(tmp_path / "x.safetensors")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match="cannot be saved"):
        save_run(RunState(step=1, elapsed_s=1.0, weights={}, optimizer={}), tmp_path / "missing" / "x.safetensors")


# The log


def test_a_resumed_run_forgets_what_it_will_do_again(tmp_path):
    log = RunLog(tmp_path / "log.jsonl")
    log.forget_after(3)
    for step in (1, 3, 4):
        log.append(step=step)
    with log.path.open("a") as file:
        file.write('{"step": 2, "lo')
    log.forget_after(3)
    assert log.path.read_text() == '{"step": 1}\n{"step": 3}\n'


# Whole runs


def test_the_loss_goes_down(make):
    config = make(steps=30, log_every=10, optimizer=OptimizerConfig(adamw_lr=0.03))
    model = train(config)
    losses = [line["loss"] for line in log_of(config) if "loss" in line]
    assert losses[0] > losses[1] > losses[2]
    final = log_of(config)[-1]["final_bits_per_byte"]["text"]
    sizes, tokens = token_bytes(Tokenizer.from_folder(config.tokenizer)), read_tokens(config.held_out["text"], 257)
    assert final == pytest.approx(bits_per_byte(model, tokens, sizes), abs=1e-4)
    assert final < 5


@pytest.mark.parametrize("optimizer", [OptimizerConfig(), OptimizerConfig(name="adamw", weight_decay=0.1)])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make, dropout, optimizer):
    config = make(model=SMALL.replace(dropout=dropout), optimizer=optimizer)
    with workers_for(config) as workers:
        whole, first, second = (Run(config, workers, time.monotonic) for _ in range(3))
        first.checkpoints.prepare()
        losses = [whole.train_step() for _ in range(6)]
        assert [first.train_step() for _ in range(3)] == losses[:3]
        second.load(first.save())
        assert [second.train_step() for _ in range(3)] == losses[3:]
    expected, got = state_of(whole), state_of(second)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_train_goes_on_from_the_checkpoint(make):
    config = make(log_every=1)
    with Workers(1) as workers:
        run = Run(config, workers, time.monotonic)
        run.checkpoints.prepare()
        journal = Journal(run, [])
        for _ in range(4):
            run.train_step()
            journal.report(loss=0)
        run.save()
        run.train_step()
        journal.report(loss="of a step that was lost")
    resumed = train(config)
    assert [line["step"] for line in log_of(config) if "loss" in line] == [1, 2, 3, 4, 5, 6]
    uninterrupted = train(make(out=config.out / "other"))
    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), uninterrupted.parameters(), strict=True))


def test_the_clock_ends_a_run_in_time_and_counts_on_after_a_pause(make):
    def ticking():
        ticks = iter(range(10_000))
        return lambda: float(next(ticks))

    config = make(steps=10_000, max_minutes=5, log_every=1, eval_every=10_000)
    train(config, ticking())
    steps = log_of(config)[-1]["step"]
    assert 5 < steps < 60
    elapsed_s = load_run(config.out / "latest" / "state.safetensors").elapsed_s
    assert elapsed_s >= 300
    train(config, ticking())
    assert log_of(config)[-1]["step"] == steps, "a finished run has nothing left to do"


def test_the_run_is_saved_and_evaluated_along_the_way(make):
    config = make(eval_every=3, checkpoint_minutes=1e-9)
    train(config)
    assert [line["step"] for line in log_of(config) if "bits_per_byte" in line] == [3, 6]


def test_a_checkpoint_of_another_shape_is_refused(make):
    config = make(steps=1)
    train(config)
    with pytest.raises(TrainingError, match="another shape of model"):
        train(make(model=SMALL.replace(n_layer=1)))


# The configuration


def values(**changes):
    table = {"model": {"n_layer": 1}, "sources": [{"path": "x.npy", "rows": 4}], "held_out": {"x": "y.npy"}}
    return {**table, "tokenizer": "t", "out": "o", **changes}


def without(name):
    return {key: value for key, value in values().items() if key != name}


def test_the_bundled_models_recipe_can_be_read(request):
    config = TrainConfig.from_toml(request.config.rootpath / "configs" / "fable.toml")
    assert config.model.vocab_size == 8192
    assert set(config.held_out) == {"children", "stories", "novels"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (values(stepz=3), "TrainConfig has no key 'stepz'; did you mean 'steps'"),
        (values(model={"n_layers": 3}), "did you mean 'n_layer'"),
        (values(optimizer={"moun_lr": 3}), "OptimizerConfig has no key 'moun_lr'; did you mean 'muon_lr'"),
        (values(sources=[{"path": "x"}]), "Source needs the key 'rows'"),
        (values(sources=[{"path": "x", "rows": 0}]), "rows=0 is out of range"),
        (values(sources=[{"path": 1, "rows": 4}]), "path=1 must be a path"),
        (values(sources=[3]), "sources=3 must be a table"),
        (values(sources=[]), "at least one source"),
        (values(sources="x"), "sources='x' must be a list of tables"),
        (values(model=3), "model=3 must be a table"),
        (values(held_out={"x": 3}), "x=3 must be a path"),
        (values(out=3), "out=3 must be a path"),
        (values(steps=0), "steps=0 is out of range"),
        (values(steps=1.5), "steps=1.5 must be an integer"),
        (values(clip="big"), "clip='big' must be a number above 0"),
        (values(clip=math.inf), "clip=inf must be a number above 0"),
        (values(max_minutes=-1), "max_minutes=-1 must be a number above 0"),
        (values(optimizer={"beta1": 2}), "beta1=2 must be a number from 0 to 1"),
        (values(warmup=0.5, decay=0.6), "more than the whole run"),
        (values(micro_rows=3), "micro_rows=3 does not divide the 4 rows"),
        (without("out"), "TrainConfig needs the key 'out'"),
        (without("model"), "TrainConfig needs the key 'model'"),
    ],
)
def test_a_bad_value_is_named(given, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_dict(given)


@pytest.mark.parametrize("content", [b"steps = ", b"\xff", b"#" * (1 << 20) + b"##"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content):
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(ConfigError, match="configuration"):
        TrainConfig.from_toml(tmp_path / "x.toml")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        TrainConfig.from_toml(tmp_path / "none.toml")
