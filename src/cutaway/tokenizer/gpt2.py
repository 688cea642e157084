"""GPT-2's own vocabulary, which comes with the package: no network is ever needed.

`data/vocab.bpe` is OpenAI's file, under the licence beside it. The ids follow from it: 256 bytes, then one token a
merge, then `<|endoftext|>`, so OpenAI's `encoder.json` is not shipped.
"""

import hashlib
from functools import cache
from pathlib import Path

from cutaway.errors import TokenizerError
from cutaway.tokenizer.byte_alphabet import from_piece, to_piece
from cutaway.tokenizer.vocabulary import Pair, Vocabulary

VOCAB_BPE = Path(__file__).with_name("data") / "vocab.bpe"
VOCAB_BPE_SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
"""Source: openai/tiktoken, tiktoken_ext/openai_public.py."""

SPACE = to_piece(b" ").encode()

TOKENIZER_JSON_SHA256 = "9f2d01c36be42937453e00e8ecd55e5074a9c6bb2fa12ba322e4372bd40b5fe3"
"""Of the file that `folder.write` makes of this vocabulary."""


@cache
def gpt2_vocabulary() -> Vocabulary:
    """The 50,257 tokens of the published models, loaded once a process.

    Raises: TokenizerError when the packaged file is not OpenAI's.
    """
    content = VOCAB_BPE.read_bytes()
    if hashlib.sha256(content).hexdigest() != VOCAB_BPE_SHA256:
        raise TokenizerError(f"{VOCAB_BPE} is damaged: its SHA-256 is not {VOCAB_BPE_SHA256}; install cutaway again")
    return Vocabulary.from_merges(known_merges(content), check=False)


def known_merges(content: bytes) -> list[Pair]:
    """The pairs of OpenAI's file, which are `parse_merges` of its lines, in a third of the time.

    Nothing is checked, for the hash was. Nearly all parts are ASCII and spell themselves, but for the space.
    """
    _, *lines = content.splitlines()
    # Bytes that UTF-8 does not use divide the parts, so that the space is free for what it stands for.
    text = b"\xff".join(lines).replace(b" ", b"\xff").replace(SPACE, b" ")
    parts = [part if part.isascii() else _unusual(part) for part in text.split(b"\xff")]
    return list(zip(parts[::2], parts[1::2], strict=True))


def _unusual(part: bytes) -> bytes:
    return from_piece(part.replace(b" ", SPACE).decode())
