"""Everything that decides a training run, checked once and frozen."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cutaway.config import GPTConfig, check_integer
from cutaway.errors import ConfigError
from cutaway.train import layers
from cutaway.train.fields import (
    build,
    check_choice,
    check_flag,
    check_positive,
    check_share,
    check_table,
    check_text,
    with_paths,
)
from cutaway.train.shorthand import SCRATCH, written_out

MAX_COUNT = 1 << 40
MAX_ROWS = 1 << 16
OPTIMIZERS = ("adamw", "muon")
SCHEDULES = ("wsd", "cosine")
PARALLEL = ("ddp", "fsdp")
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Tokens to learn from, a prepared folder or a `.npy` file, and how many rows of each batch come from there.

    Raises: ConfigError when a value is impossible.
    """

    path: Path
    rows: int

    def __post_init__(self) -> None:
        check_integer("rows", self.rows, 1, MAX_ROWS)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How weights are updated.

    Raises: ConfigError when a value is impossible.
    """

    name: str = "muon"
    """`muon` for the matrices inside the layers and AdamW for everything else, or `adamw` for all."""
    muon_lr: float = 0.02
    adamw_lr: float = 0.003
    momentum: float = 0.95
    """Of Muon."""
    beta1: float = 0.9
    """Of AdamW, as is `beta2`."""
    beta2: float = 0.95
    weight_decay: float = 0.0
    """How much of itself, times the learning rate, a matrix loses each step; biases and LayerNorms lose nothing."""

    def __post_init__(self) -> None:
        check_choice("name", self.name, OPTIMIZERS)
        check_positive("muon_lr", self.muon_lr)
        check_positive("adamw_lr", self.adamw_lr)
        for name in ("momentum", "beta1", "beta2", "weight_decay"):
            check_share(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class LoRAConfig:
    """Fine-tuning by small additions to the matrices, which themselves stay as they are.

    Raises: ConfigError when a value is impossible.
    """

    rank: int = 8
    """The thin side of the two matrices whose product is added."""
    alpha: float = 16.0
    """The product is multiplied by alpha / rank."""
    targets: tuple[str, ...] = ("c_attn", "c_proj", "c_fc")
    """The layers that get additions."""

    def __post_init__(self) -> None:
        check_integer("rank", self.rank, 1, MAX_ROWS)
        check_positive("alpha", self.alpha)
        if not isinstance(self.targets, Sequence) or isinstance(self.targets, str) or not self.targets:
            raise ConfigError(f"targets={self.targets!r} must be a list of layers such as ['c_attn']")
        object.__setattr__(self, "targets", tuple(self.targets))


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run: the model, the data, the optimizers and the pace.

    Paths start from the folder that the run is started in. `from_dict` and what builds on it also understand the
    shorter forms of `cutaway.train.shorthand`.

    Raises: ConfigError when a value is impossible.
    """

    model: GPTConfig
    sources: tuple[Source, ...]
    held_out: Mapping[str, Path]
    """Tokens, by name, that are evaluated and never learned from: `.npy` files, or the validation part of folders."""
    tokenizer: Path
    """The folder of the tokenizer that made the ids."""
    out: Path
    """The folder of the checkpoints and the log."""
    init: str = SCRATCH
    """`scratch`, or the checkpoint to start from: a name, a Hub id or a folder."""
    lora: LoRAConfig | None = None
    """Learn additions to the checkpoint's matrices instead of the matrices; None learns all."""
    optimizer: OptimizerConfig = OptimizerConfig()
    by_document: bool = False
    """Read each document as if alone: attention ends at `<|endoftext|>`, and positions begin again. Slower, for the
    mask it takes. Evaluations and samples read as always."""
    seed: int = 0
    steps: int = 1000
    max_minutes: float | None = None
    """The clock's limit; the schedule then ends in time whatever the speed, and no two runs are quite the same."""
    schedule: str = "wsd"
    """After the rise, `wsd` keeps the learning rates and then lowers them in a line; `cosine` lowers them all along."""
    warmup: float = 0.02
    """Share of the run in which the learning rates rise."""
    decay: float = 0.6
    """Share of the run in which `wsd` lowers them."""
    final_lr: float = 0.0
    """What they are in the end, as a share of their peak."""
    clip: float = 1.0
    """The gradient's norm at most."""
    outlier_sigmas: float | None = None
    """Skip a batch whose loss or gradient norm is so many standard deviations above the usual; None skips none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 or mps; auto takes the fastest there is."""
    precision: str = "float32"
    """The number format of the multiplications; the weights are float32 always."""
    compile: bool = False
    """Translate the network by `torch.compile` first: slow to begin, fast on GPUs."""
    recompute: bool = False
    """Keep only what enters each layer, and compute the rest again for the gradient: a fifth slower, and less memory
    where many tokens come at a time."""
    threads: int | None = None
    """CPU cores to use, on parts of a batch side by side, or on each multiplication where that cannot be; None means
    all, or as many as OMP_NUM_THREADS says."""
    micro_rows: int | None = None
    """Rows that a process works on at a time, the gradients of which add up to the batch's; None means all on a GPU,
    and on a CPU as many as suit its cores."""
    parallel: str = "ddp"
    """Under torchrun: `ddp` has the network in every process, `fsdp` a share of it, for networks too large for one."""
    log_every: int = 10
    """Steps between two lines of the log."""
    eval_every: int = 250
    """Steps between two evaluations."""
    eval_windows: int = 24
    """Windows of each held-out text in an evaluation along the way; the last one takes all."""
    sample_every: int | None = None
    """Steps between two samples of what the model writes."""
    sample_prompt: str = ""
    sample_tokens: int = 100
    checkpoint_minutes: float = 5.0
    checkpoint_every: int | None = None
    """Steps between two checkpoints, besides those by the clock."""
    keep_checkpoints: int = 2
    """How many of the latest checkpoints stay; the best one stays besides."""
    background_checkpoints: bool = False
    """Write checkpoints while the training goes on, from a copy of the weights and the optimizer's memory."""
    tensorboard: bool = False
    """Write the curves for TensorBoard, too."""
    wandb: str | None = None
    """The project in Weights & Biases to report to; None reports nothing."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("a run needs at least one source; add [[sources]] with path and rows, or data")
        self._check_pace()
        self._check_schedule()
        self._check_machine()
        if self.lora is not None and self.init == SCRATCH:
            raise ConfigError("lora adds to a checkpoint; name one by init")
        if self.parallel == "fsdp":
            self._check_sharding()
        if self.micro_rows is not None and self.rows % self.micro_rows:
            raise ConfigError(f"micro_rows={self.micro_rows} does not divide the {self.rows} rows of a batch")

    def _check_pace(self) -> None:
        check_integer("seed", self.seed, 0, MAX_COUNT)
        for name in ("steps", "log_every", "eval_every", "eval_windows", "sample_tokens", "keep_checkpoints"):
            check_integer(name, getattr(self, name), 1, MAX_COUNT)
        for name in ("micro_rows", "checkpoint_every", "sample_every"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), 1, MAX_COUNT)
        check_positive("checkpoint_minutes", self.checkpoint_minutes)
        check_text("sample_prompt", self.sample_prompt)

    def _check_schedule(self) -> None:
        check_positive("clip", self.clip)
        for name in ("max_minutes", "outlier_sigmas"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        check_choice("schedule", self.schedule, SCHEDULES)
        for name in ("warmup", "decay", "final_lr"):
            check_share(name, getattr(self, name))
        if self.schedule == "wsd" and self.warmup + self.decay > 1:
            raise ConfigError(
                f"warmup={self.warmup} + decay={self.decay} is more than the whole run; lower one of them"
            )

    def _check_machine(self) -> None:
        check_text("init", self.init)
        check_text("device", self.device)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("parallel", self.parallel, PARALLEL)
        if self.threads is not None:
            check_integer("threads", self.threads, 1, 1 << 10)
        for name in ("by_document", "compile", "recompute", "background_checkpoints", "tensorboard"):
            check_flag(name, getattr(self, name))
        if self.wandb is not None:
            check_text("wandb", self.wandb)

    def _check_sharding(self) -> None:
        if self.lora is not None:
            raise ConfigError("lora learns too little to be shared out; leave parallel at ddp")
        if self.background_checkpoints:
            raise ConfigError("background_checkpoints would talk between the steps of fsdp; leave one of them out")

    @property
    def rows(self) -> int:
        """Rows of a batch."""
        return sum(source.rows for source in self.sources)

    @property
    def tokens_per_step(self) -> int:
        """Tokens of a batch."""
        return self.rows * self.model.block_size

    def to_dict(self) -> dict[str, Any]:
        """The values by name, ready for JSON; `from_dict` makes the same configuration of them."""
        values = dataclasses.asdict(self)
        values["sources"] = [{**source, "path": str(source["path"])} for source in values["sources"]]
        values["held_out"] = {name: str(path) for name, path in self.held_out.items()}
        return values | {"tokenizer": str(self.tokenizer), "out": str(self.out)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration with these values, the rest at their defaults.

        Raises: ConfigError for an unknown or missing name, or an impossible value; DataError or CheckpointError when
            the folder that a shorter form stands for cannot be read.
        """
        made = written_out(values)
        if "model" in made:
            made["model"] = GPTConfig.from_dict(check_table("model", made["model"]))
        if "optimizer" in made:
            made["optimizer"] = build(OptimizerConfig, check_table("optimizer", made["optimizer"]))
        if made.get("lora") is not None:
            made["lora"] = build(LoRAConfig, check_table("lora", made["lora"]))
        if "sources" in made:
            made["sources"] = build_sources(made["sources"])
        if "held_out" in made:
            made["held_out"] = with_paths(check_table("held_out", made["held_out"]), *made["held_out"])
        return build(cls, with_paths(made, "tokenizer", "out"))

    @classmethod
    def from_toml(cls, path: Path, environment: Mapping[str, str] | None = None, settings: Sequence[str] = ()) -> Self:
        """The configuration in a TOML file, over which stand environment variables, over which stand settings.

        Raises: ConfigError when the file cannot be read, is not TOML, or a value is impossible.
        """
        return cls.from_dict(
            layers.merged(
                layers.read_toml(path), layers.from_environment(environment or {}), layers.from_settings(settings)
            )
        )


def build_sources(values: object) -> tuple[Source, ...]:
    """The sources with these values.

    Raises: ConfigError for an unknown or missing name, or an impossible value.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ConfigError(f"sources={values!r} must be a list of tables; configs/ holds examples")
    return tuple(build(Source, with_paths(check_table("sources", value), "path")) for value in values)
