"""Opening the tables of tokens and positions: those of a model, or of a file that holds nothing else."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.cli import loading
from cutaway.cli.inspect import places
from cutaway.cli.options import ModelOptions
from cutaway.errors import InspectionError

if TYPE_CHECKING:
    from cutaway.inspect import Embedding
    from cutaway.language_model import LanguageModel


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables, and the model where there is one."""

    name: str
    found: "dict[str, Embedding]"
    gpt: "LanguageModel | None" = None

    def choose(self, table: str | None, rows: str | None) -> "Embedding":
        """A table, or some rows of it: `wpe` unless told otherwise, or what there is.

        Raises: InspectionError for a table or rows that are not there.
        """
        table = table or next(iter(self.found))
        if table not in self.found:
            raise InspectionError(f"{self.name} holds no {table}; it has {', '.join(self.found)}")
        chosen = self.found[table]
        if rows is None:
            return chosen
        numbers = places.several("--rows", rows, len(chosen.labels), f"{chosen.kind}s")
        labels = tuple(chosen.labels[number] for number in numbers)
        return replace(chosen, weight=chosen.weight[numbers], labels=labels)


def open_tables(model: ModelOptions) -> Tables:
    """The tables of a model, or of a bare file."""
    path = Path(model.model)
    if path.suffix == ".safetensors" and path.is_file() and not (path.parent / "config.json").is_file():
        from cutaway.inspect import embeddings_of_file
        from cutaway.tokenizer import Tokenizer

        # A file alone tells nothing of its vocabulary; one as large as GPT-2's can be read by it.
        return Tables(name=path.name, found=embeddings_of_file(path, Tokenizer.gpt2()))
    from cutaway.inspect import position_embedding, token_embedding

    gpt = loading.load(model)
    return Tables(name=gpt.name, found={"wpe": position_embedding(gpt), "wte": token_embedding(gpt)}, gpt=gpt)
