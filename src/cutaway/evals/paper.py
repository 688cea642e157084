"""One test set of the paper, from its files to its figures."""

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cutaway.data.decompress import counted, open_plain
from cutaway.data.fragments import refusing_damage
from cutaway.data.pieces import cut_pieces
from cutaway.data.records import read_records
from cutaway.data.source_file import SourceFile, kind_and_compression
from cutaway.errors import EvaluationError
from cutaway.evals import choices, last_words
from cutaway.evals.cloze import cloze_questions
from cutaway.evals.documents import Document, Extent
from cutaway.evals.item_log import ItemLog
from cutaway.evals.items import Progress
from cutaway.evals.paper_sets import PaperSet
from cutaway.evals.passage import Scorer
from cutaway.evals.perplexity import Meter
from cutaway.tokenizer import AnyTokenizer

MAX_BYTES = 1 << 30
"""Test sets are read as a whole; the largest, enwik8, is a tenth of this."""


def evaluate_set(
    which: PaperSet,
    files: Sequence[Path],
    scorer: Scorer,
    tokenizer: AnyTokenizer,
    *,
    context: int | None = None,
    stride: int | None = None,
    limit: int | None = None,
    log: ItemLog | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The figures of a set; accuracies are in %. Windows and `limit` are those of `Meter`, or count items.

    Raises: EvaluationError for a file of another form or with nothing to score; DataError for one that cannot be read.
    """
    settings: dict[str, Any] = {"context": context, "stride": stride, "limit": limit, "log": log}
    found = _evaluate(which, files, scorer, tokenizer, progress=progress, **settings)
    if not found.get("items", found.get("tokens")):
        raise EvaluationError(f"{files[0]} holds nothing to score for {which.name}; check the file")
    return found


def _evaluate(
    which: PaperSet,
    files: Sequence[Path],
    scorer: Scorer,
    tokenizer: AnyTokenizer,
    *,
    context: int | None,
    stride: int | None,
    limit: int | None,
    log: ItemLog | None,
    progress: Progress | None,
) -> dict[str, Any]:
    if which.kind == "last words":
        texts = islice(passages(which, files), limit)
        found = last_words.scores_of(
            last_words.guess_last_words(texts, scorer, tokenizer, log=log, progress=progress)
        ).to_dict()
        return found | in_percent(found, "accuracy") | in_percent(found, "accuracy_without_stop_words")
    if which.kind == "cloze":
        assert which.detokenizer is not None, "both sets have one"
        lines = io.StringIO(whole_text(files)).readlines()
        questions = list(islice(cloze_questions(lines, which.detokenizer), limit))
        outcomes = choices.answer_questions(questions, scorer, tokenizer, log=log, progress=progress)
        share = choices.scores_of(outcomes).sum.to_dict()
        return {"items": share["of"]} | in_percent({"accuracy": share}, "accuracy")
    meter = Meter(scorer, tokenizer, context=context, stride=stride)
    measured = meter.measure(iter([document(which, files, tokenizer)]), log=log, progress=progress, limit=limit)
    return measured.total.to_dict() | {"context": meter.context, "stride": meter.stride}


def in_percent(found: Mapping[str, Any], name: str) -> dict[str, float | None]:
    """A share and its standard error in %."""
    value, stderr = (None if part is None else 100 * part for part in (found[name]["value"], found[name]["stderr"]))
    return {name: value, f"{name}_stderr": stderr}


def document(which: PaperSet, files: Sequence[Path], tokenizer: AnyTokenizer) -> Document:
    """The text of a set as one document, after `<|endoftext|>` where there is one; its words are the original's."""
    original = whole_text(files, which.tail_bytes)
    text = which.detokenizer.detokenize(original) if which.detokenizer else original
    extent = Extent(name=which.name, words=len(original.split()))
    return Document(extent=extent, chunks=_chunks(text, tokenizer))


def _chunks(text: str, tokenizer: AnyTokenizer) -> Iterator[list[int]]:
    if tokenizer.eot is not None:
        yield [tokenizer.eot]
    yield from (tokenizer.encode(piece.text) for piece in cut_pieces([(text, True)]))


def passages(which: PaperSet, files: Sequence[Path]) -> Iterator[str]:
    """The passages of LAMBADA, a line each in plain text, mended where they are in lower case."""
    for file in files:
        if kind_and_compression(file)[0] in ("jsonl", "parquet"):
            texts = (text_in(record, file) for record in read_records(file))
        else:
            texts = (line.strip() for line in whole_text([file]).splitlines() if line.strip())
        yield from (which.detokenizer.detokenize(text) for text in texts) if which.detokenizer else texts


def text_in(record: dict[str, Any], file: Path) -> str:
    """The text of a record.

    Raises: EvaluationError when it has none.
    """
    if not isinstance(text := record.get("text"), str):
        raise EvaluationError(f"{file} has a record without a 'text'; give the file of another source")
    return text


def whole_text(files: Sequence[Path], tail_bytes: int = 0) -> str:
    """The text of the files one after the other, or its last so many bytes, from the first whole character on.

    Raises: EvaluationError when they are too large, or not UTF-8.
    """
    content = b""
    for file in files:
        content += content_of(file, by_lines=not tail_bytes)
        if len(content) > MAX_BYTES:
            raise EvaluationError(f"{file} is over {MAX_BYTES >> 30} GiB of text; give the test set alone")
    content = content[-tail_bytes:]
    if tail_bytes:
        # A character has one byte that begins it and at most three of 0b10…… that go on.
        while content and content[0] & 0xC0 == 0x80:
            content = content[1:]
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{files[0]} is not UTF-8 text (byte {error.start:,}); convert it first") from None


def content_of(file: Path, *, by_lines: bool) -> bytes:
    """The text of a file: as it stands, or of its records, which are lines, though those of the Hub may lack their end.

    Raises: EvaluationError for a record without a text; DataError for a file that cannot be read.
    """
    source = SourceFile.at(file, str(file))
    if source.kind == "txt":
        with refusing_damage(source), counted(file) as raw, open_plain(raw, source.compression) as plain:
            return plain.read(MAX_BYTES + 1)
    texts = (text_in(record, file) for record in read_records(file))
    return "".join(f"{text}\n" if by_lines and not text.endswith("\n") else text for text in texts).encode()
