"""`cutaway tokenize`: a text to tokens, or ids to a text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from cutaway.cli import loading, source_text, terminal
from cutaway.cli.options import Flag, Text, refuse_together, whole_numbers
from cutaway.cli.table import Column, print_table
from cutaway.errors import ConfigError
from cutaway.tokenizer import AnyTokenizer, ChunkExplanation, Tokenizer


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of a text, in every form."""

    id: int
    piece: str
    bytes: bytes
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        """The token, ready for JSON; its bytes as numbers."""
        return {"id": self.id, "piece": self.piece, "bytes": list(self.bytes), "start": self.start, "end": self.end}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TokenizeOptions:
    """What to convert, and what to show."""

    file: Path | None = None
    """Read the text from a file."""
    decode: Annotated[
        tuple[int, ...], Parameter(consume_multiple=True, show_default=False, converter=whole_numbers)
    ] = ()
    """Print the text of these ids, instead of the ids of a text."""
    model: Annotated[str, Parameter(name=["--model", "--tokenizer"])] = "gpt2"
    """Whose vocabulary: a model by name, a Hub id in the cache, or a folder."""
    ids: Flag = False
    """Print the ids alone, in one line."""
    explain: Flag = False
    """Show how each chunk of the text is merged from bytes, step by step."""
    special: Flag = False
    """Take <|endoftext|> in the text for the special token, not for ordinary text."""
    json: Flag = False
    """Print JSON."""


def tokenize(text: Text = None, /, *, options: TokenizeOptions | None = None) -> None:
    """Cut a text into tokens: ids, printable pieces (Ġ is a space, Ċ a new line), bytes, and place in the text."""
    options = options or TokenizeOptions()
    refuse_contradictions(text, options)
    if options.decode:
        show_text(options.decode, loading.load_tokenizer(options.model), options)
        return
    content = source_text.required_text(text, options.file)
    tokenizer = loading.load_tokenizer(options.model)
    if options.explain:
        show_explanation(content, tokenizer, options)
    else:
        show_tokens(content, tokenizer, options)


def refuse_contradictions(text: str | None, options: TokenizeOptions) -> None:
    """Refuse options of which one would have to be ignored.

    Raises: ConfigError naming both.
    """
    sources = {"the text": text is not None, "--file": options.file is not None, "--special": options.special}
    forms = {"--ids": options.ids, "--explain": options.explain}
    if options.decode:
        refuse_beside("--decode", sources | forms)
    if options.explain:
        refuse_beside("--explain", {"--ids": options.ids, "--special": options.special})
    if options.json:
        refuse_beside("--json", {"--ids": options.ids})


def refuse_beside(option: str, others: dict[str, bool]) -> None:
    """Refuse an option beside any of the others that was given."""
    for other, was_given in others.items():
        if was_given:
            refuse_together(option, other)


def show_text(ids: tuple[int, ...], tokenizer: AnyTokenizer, options: TokenizeOptions) -> None:
    """Print what some ids spell."""
    text = tokenizer.decode(ids)
    if options.json:
        terminal.print_json({"ids": ids, "pieces": tokenizer.pieces(ids), "text": text})
    else:
        print(text)


def show_tokens(text: str, tokenizer: AnyTokenizer, options: TokenizeOptions) -> None:
    """Print the tokens of a text."""
    ids = tokenizer.encode(text, allowed_special="all" if options.special else ())
    if options.ids:
        print(*ids)
        return
    tokens = [
        Token(id=i, piece=tokenizer.piece(i), bytes=tokenizer.token_bytes(i), start=start, end=end)
        for i, (start, end) in zip(ids, tokenizer.offsets(text, ids), strict=True)
    ]
    if options.json:
        terminal.print_json({"text": text, "tokens": [token.to_dict() for token in tokens]})
        return
    columns = [Column("id", right=True), Column("piece"), Column("bytes"), Column("characters", right=True)]
    print_table(columns, [(str(t.id), t.piece, t.bytes.hex(" "), f"{t.start}-{t.end}") for t in tokens])


def show_explanation(text: str, tokenizer: AnyTokenizer, options: TokenizeOptions) -> None:
    """Print every merge.

    Raises: ConfigError for a vocabulary that has none.
    """
    if not isinstance(tokenizer, Tokenizer):
        raise ConfigError("--explain has nothing to show: a character vocabulary merges nothing; leave it out")
    chunks = tokenizer.explain(text)
    if options.json:
        terminal.print_json({"text": text, "chunks": [chunk_to_dict(chunk, tokenizer) for chunk in chunks]})
        return
    for chunk in chunks:
        print_chunk(chunk_to_dict(chunk, tokenizer), tokenizer)


def print_chunk(chunk: dict[str, Any], tokenizer: Tokenizer) -> None:
    """The parts of a chunk before each merge, the merge, and the tokens in the end."""
    print(f"{chunk['text']!r}")
    for step in chunk["steps"]:
        merge = f"merge {step['rank'] + 1:,}: {' + '.join(step['pair'])}"
        print(f"  {' '.join(step['before'])}  {terminal.dim(merge)}")
    print("  " + "  ".join(f"{tokenizer.piece(i)} {terminal.dim(str(i))}" for i in chunk["ids"]))


def chunk_to_dict(chunk: ChunkExplanation, tokenizer: Tokenizer) -> dict[str, Any]:
    """A chunk and its merges, the parts in printable form."""

    def pieces(parts: tuple[bytes, ...]) -> list[str]:
        return [tokenizer.piece(tokenizer.vocabulary.ids[part]) for part in parts]

    steps = [
        {"before": pieces(step.before), "pair": pieces(step.pair), "rank": step.rank, "after": pieces(step.after)}
        for step in chunk.steps
    ]
    return {"text": chunk.text, "steps": steps, "ids": list(chunk.ids)}
