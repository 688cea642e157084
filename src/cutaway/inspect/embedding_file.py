"""The embeddings in a bare weight file, of which nothing else need be there: one of GPT-2's positions alone will do."""

from pathlib import Path

import torch

from cutaway.errors import InspectionError
from cutaway.inspect.embeddings import Embedding, plain
from cutaway.inspect.passage import piece_of
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights.names import our_names
from cutaway.weights.safetensors_file import SafetensorsFile

TABLES = {"wpe": ("position", "Position embeddings"), "wte": ("token", "Token embeddings")}


def embeddings_of_file(path: Path | str, tokenizer: AnyTokenizer | None = None) -> dict[str, Embedding]:
    """The tables that a `.safetensors` file holds, by name: `wpe`, `wte` or both.

    Tokens go by their printable forms if the tokenizer has as many, and by their numbers otherwise.

    Raises: CheckpointError when the file is damaged; InspectionError when there is no such table in it.
    """
    file = SafetensorsFile(Path(path))
    names = our_names(file.shapes, str(path))
    found = {}
    for table, (kind, title) in TABLES.items():
        if stored := names.get(f"{table}.weight"):
            weight = plain(file.tensor(stored, None, torch.device("cpu")))
            labels = range(len(weight)) if kind == "position" else _tokens(len(weight), tokenizer)
            found[table] = Embedding(title=title, kind=kind, weight=weight, labels=tuple(labels))
    if not found:
        raise InspectionError(f"{path} holds neither wpe.weight nor wte.weight; name another file, or a model")
    return found


def _tokens(n: int, tokenizer: AnyTokenizer | None) -> list[str | int]:
    known = tokenizer if tokenizer is not None and tokenizer.n_vocab == n else None
    return [piece_of(known, token) if known else token for token in range(n)]
