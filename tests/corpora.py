"""Small corpora, and a tokenizer that is quick to make: what the tests of data preparation share."""

import hashlib
import json
import random

from cutaway.data.source_file import find

WORDS = [
    "the",
    "a",
    "and",
    "of",
    "tree",
    "river",
    "Alice",
    "said",
    "went",
    "over",
    "home",
    "!",
    "?",
    ",",
    "naïve",
    "你好",
    "42",
]


class ByteEncoder:
    """One token a byte, and an end-of-text token: quick to make, and it pickles."""

    n_vocab = 257
    eot = 256
    fingerprint = hashlib.sha256(b"bytes").hexdigest()

    def encode(self, text):
        return list(text.encode())

    def save(self, path):
        (path / "bytes.txt").write_text("one token a byte\n", encoding="utf-8")


class ManyTokens(ByteEncoder):
    """A vocabulary that takes four bytes a token."""

    n_vocab = 100_000
    eot = 99_999
    fingerprint = hashlib.sha256(b"many").hexdigest()


def story(number, words=60):
    """A text that is always the same for the same number."""
    rng = random.Random(number)
    return f"Story {number}\n\n" + " ".join(rng.choice(WORDS) for _ in range(words)) + "\n"


def write_stories(path, numbers):
    """A JSON Lines file of stories."""
    path.write_text("".join(json.dumps({"text": story(i), "title": i}) + "\n" for i in numbers), encoding="utf-8")


def story_corpus(folder, files=4, stories=20):
    """A folder of JSON Lines files, found as a corpus."""
    folder.mkdir(exist_ok=True)
    for number in range(files):
        write_stories(folder / f"{number}.jsonl", range(number * stories, (number + 1) * stories))
    return find([str(folder)])


def files_in(folder):
    """Every file below a folder with its content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
