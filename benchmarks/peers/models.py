"""The checkpoint with random weights, and what each library wants it converted to; kept, so that it is made once."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.checkpoints import random_checkpoint
from benchmarks.peers.environments import python_of

OPENVINO_MODEL = Path(__file__).with_name("openvino_model.py")

TO_CTRANSLATE2 = """
import sys, ctranslate2
converter = ctranslate2.converters.TransformersConverter(sys.argv[1])
converter.convert(sys.argv[2], quantization=sys.argv[3])
"""


def checkpoint(preset: str, folder: Path) -> Path:
    """The checkpoint, with GPT-2's tokenizer."""

    def make(place: Path) -> None:
        from cutaway.tokenizer import Tokenizer

        with random_checkpoint(preset) as made:
            Tokenizer.gpt2().save(made)
            shutil.copytree(made, place)

    return once(folder / preset, make)


def gguf(source: Path, dtype: str) -> Path:
    """For llama.cpp."""

    def make(place: Path) -> None:
        from cutaway.weights import load_model, load_tokenizer, save_gguf

        save_gguf(load_model(source), place, load_tokenizer(source), dtype=dtype)

    return once(source.with_name(f"{source.name}-{dtype}.gguf"), make)


def openvino(source: Path, environments: Path, dtype: str) -> Path:
    """Traced from PyTorch, with the cache as state."""

    def make(place: Path) -> None:
        run("openvino", environments, OPENVINO_MODEL, source, place, dtype)

    return once(source.with_name(f"{source.name}-{dtype}.xml"), make)


def ctranslate2(source: Path, environments: Path, dtype: str) -> Path:
    """By its own converter, from transformers."""

    def make(place: Path) -> None:
        run("ctranslate2", environments, "-c", TO_CTRANSLATE2, source, place, dtype)

    return once(source.with_name(f"{source.name}-{dtype}-ctranslate2"), make)


def once(place: Path, make: Callable[[Path], None]) -> Path:
    """That place, made unless it is there."""
    if not place.exists():
        print(f"making {place}", file=sys.stderr)
        place.parent.mkdir(parents=True, exist_ok=True)
        make(place)
    return place


def run(environment: str, environments: Path, *arguments: object) -> None:
    """Run a program in a peer's environment."""
    command = [python_of(environment, environments), *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def shape(source: Path) -> dict[str, int]:
    """The checkpoint's configuration."""
    return json.loads((source / "config.json").read_text())
