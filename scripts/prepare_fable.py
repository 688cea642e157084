"""Turn a folder of stories into what `cutaway train configs/fable.toml` reads.

The corpus is JSON Lines, compressed by xz, one file for each kind of book, one book a line with `title` and `text`.
Written are the tokenizer, the token ids of the books to train on and of those held out, and `books.json`, which says
what went where.

Usage: python scripts/prepare_fable.py CORPUS_FOLDER OUTPUT_FOLDER
"""

import hashlib
import json
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cutaway.tokenizer import Tokenizer

KINDS = ("children", "stories", "novels")
VOCAB_SIZE = 8192
HELD_OUT_BOOKS = 0.02
HELD_OUT_TEXT = 0.01
SHARED_PARAGRAPHS = 0.02
TOKENIZER_CHARACTERS = {"children": 30_000_000, "stories": 30_000_000, "novels": 15_000_000}
"""How much of each kind the tokenizer learns from: all kinds of books, in a minute or two."""

Book = dict[str, str]
Books = dict[str, list[Book]]


def main(corpus: Path, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    books = {kind: read_books(corpus / f"{kind}.jsonl.xz") for kind in KINDS}
    held = {kind: hold_out(books[kind]) for kind in KINDS}
    seen = {kind: unlike(books[kind], [book for kind in KINDS for book in held[kind]]) for kind in KINDS}
    tokenizer = Tokenizer.train(sample(seen), VOCAB_SIZE)
    tokenizer.save(output)
    for kind in KINDS:
        np.save(output / f"{kind}.train.npy", encode(seen[kind], tokenizer))
        np.save(output / f"{kind}.held.npy", encode(held[kind], tokenizer))
    report = {kind: describe(books[kind], seen[kind], held[kind]) for kind in KINDS}
    output.joinpath("books.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_books(path: Path) -> list[Book]:
    """The books of one file, in its order."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def title_hash(book: Book) -> str:
    """A fixed random order: the split depends on the titles alone."""
    return hashlib.sha256(book["title"].encode()).hexdigest()


def hold_out(books: list[Book]) -> list[Book]:
    """Books in the order of their title hashes, until they are 2% of the books and 1% of the text."""
    held: list[Book] = []
    text = HELD_OUT_TEXT * sum(len(book["text"]) for book in books)
    for book in sorted(books, key=title_hash):
        if len(held) >= HELD_OUT_BOOKS * len(books) and sum(len(b["text"]) for b in held) >= text:
            break
        held.append(book)
    return held


def unlike(books: list[Book], held: list[Book]) -> list[Book]:
    """The books that share hardly a paragraph with a held-out one: other editions of those go, too."""
    unseen = set().union(*(paragraphs(book) for book in held))
    return [book for book in books if len(paragraphs(book) & unseen) <= SHARED_PARAGRAPHS * len(paragraphs(book))]


def paragraphs(book: Book) -> set[str]:
    """The paragraphs that no two books share by chance; of a very short text, all."""
    every = book["text"].split("\n\n")
    return {paragraph for paragraph in every if len(paragraph) > 100} or set(every)


def sample(books: Books) -> Iterator[str]:
    """Texts of every kind for the tokenizer to learn from, in the order of their title hashes from the far end."""
    for kind, left in TOKENIZER_CHARACTERS.items():
        for book in sorted(books[kind], key=title_hash, reverse=True):
            left -= len(book["text"])
            if left < 0:
                break
            yield book["text"]


def encode(books: list[Book], tokenizer: Tokenizer) -> np.ndarray:
    """All books in one row of ids, each followed by `<|endoftext|>`."""
    texts = tokenizer.encode_batch([book["text"] for book in books])
    return np.concatenate([np.array([*ids, tokenizer.eot], dtype=np.uint16) for ids in texts])


def describe(books: list[Book], seen: list[Book], held: list[Book]) -> dict[str, object]:
    """What became of a kind's books."""
    left_out = {book["title"] for book in books} - {book["title"] for book in seen + held}
    return {
        "train_books": len(seen),
        "train_bytes": sum(len(book["text"].encode()) for book in seen),
        "held_bytes": sum(len(book["text"].encode()) for book in held),
        "held_titles": [book["title"] for book in held],
        "left_out_as_too_like_them": sorted(left_out),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
