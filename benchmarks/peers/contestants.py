"""Who takes part: a library at a precision, the environment it runs in, and the files it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import models
from benchmarks.peers.environments import OURS


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A library at a precision."""

    library: str
    precision: str
    """fp32, bf16, int8, w8a8 or int4: those of the same precision are compared. The 8-bit peers round activations to 8
    bits, as our w8a8 does; our int8, which keeps 16, is compared with them all the same."""
    environment: str
    adapter: str
    """The file in `adapters` that drives it."""
    files: Callable[[Path, Path], Path]
    """What it loads, from the checkpoint and the folder of environments."""
    dtype: str = ""
    """What the library calls the precision."""

    @property
    def name(self) -> str:
        """Nobody else's."""
        return f"{self.library} {self.precision}"


def cutaway(precision: str, dtype: str) -> Contestant:
    return Contestant(
        library="cutaway",
        precision=precision,
        environment=OURS,
        adapter="cutaway_native",
        files=lambda source, _: source,
        dtype=dtype,
    )


def llama(precision: str, dtype: str) -> Contestant:
    return Contestant(
        library="llama.cpp",
        precision=precision,
        environment="llama",
        adapter="llama",
        files=lambda source, _: models.gguf(source, dtype),
        dtype=dtype,
    )


def openvino(precision: str, dtype: str) -> Contestant:
    return Contestant(
        library="OpenVINO",
        precision=precision,
        environment="openvino",
        adapter="openvino_state",
        files=lambda source, folder: models.openvino(source, folder, dtype),
        dtype=dtype,
    )


def ctranslate2(precision: str, dtype: str) -> Contestant:
    return Contestant(
        library="CTranslate2",
        precision=precision,
        environment="ctranslate2",
        adapter="ctranslate2_generator",
        files=lambda source, folder: models.ctranslate2(source, folder, dtype),
        dtype=dtype,
    )


def transformers(precision: str, dtype: str) -> Contestant:
    return Contestant(
        library="transformers",
        precision=precision,
        environment=OURS,
        adapter="transformers_cache",
        files=lambda source, _: source,
        dtype=dtype,
    )


def nanogpt(checkout: Path) -> Contestant:
    """It reads no checkpoint of transformers without fetching it, so its weights are random by its own dice."""
    return Contestant(
        library="nanoGPT",
        precision="fp32",
        environment=OURS,
        adapter="nanogpt",
        files=lambda _source, _folder: checkout,
        dtype="float32",
    )


CONTESTANTS = [
    cutaway("fp32", "float32"),
    llama("fp32", "F32"),
    openvino("fp32", "fp32"),
    ctranslate2("fp32", "float32"),
    transformers("fp32", "float32"),
    cutaway("bf16", "bfloat16"),
    llama("bf16", "BF16"),
    transformers("bf16", "bfloat16"),
    cutaway("int8", "int8"),
    llama("int8", "Q8_0"),
    openvino("int8", "int8"),
    ctranslate2("int8", "int8"),
    cutaway("w8a8", "w8a8"),
    llama("w8a8", "Q8_0"),
    openvino("w8a8", "int8"),
    ctranslate2("w8a8", "int8"),
    cutaway("int4", "int4"),
    llama("int4", "Q4_0"),
]
PRECISIONS = tuple(dict.fromkeys(contestant.precision for contestant in CONTESTANTS))
