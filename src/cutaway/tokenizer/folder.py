"""Vocabularies in the files of Hugging Face checkpoints: read with suspicion, written so that others load them."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cutaway.atomic_file import write_atomically
from cutaway.errors import TokenizerError
from cutaway.tokenizer import tokenizer_json
from cutaway.tokenizer.byte_alphabet import BYTE_OF, to_piece
from cutaway.tokenizer.gpt2 import TOKENIZER_JSON_SHA256, gpt2_vocabulary
from cutaway.tokenizer.merge_list import format_merges, parse_merges
from cutaway.tokenizer.vocabulary import END_OF_TEXT, Pair, Vocabulary

MAX_FILE_BYTES = 64 << 20
"""GPT-2's largest tokenizer file has 1.4 MB; a vocabulary of a million tokens fits."""

BRACKETS = ("<>", "[]")
"""How special tokens are written where no file lists them."""


def read(path: str | os.PathLike[str]) -> Vocabulary:
    """The vocabulary in a folder: from `tokenizer.json`, else from `vocab.json` with `merges.txt`.

    Raises: TokenizerError when the files are missing, too large, damaged, or not a byte-level BPE like GPT-2's.
    """
    folder = Path(path)
    if (file := folder / "tokenizer.json").is_file():
        # Known by its hash, GPT-2's is there in a third of the time that it takes to understand a file.
        known = file.stat().st_size <= MAX_FILE_BYTES and sha256(file.read_bytes()).hexdigest() == TOKENIZER_JSON_SHA256
        return gpt2_vocabulary() if known else _read_tokenizer_json(file)
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return _read_vocab_and_merges(folder)
    raise TokenizerError(f"{folder} holds no tokenizer; it needs tokenizer.json, or vocab.json and merges.txt")


def write(vocabulary: Vocabulary, path: str | os.PathLike[str]) -> None:
    """Write the vocabulary as `vocab.json`, `merges.txt`, `tokenizer.json` and `tokenizer_config.json`."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "vocab.json": json.dumps(vocabulary.pieces, ensure_ascii=False),
        "merges.txt": format_merges(vocabulary.merges),
        "tokenizer.json": json.dumps(tokenizer_json.describe(vocabulary), ensure_ascii=False),
        "tokenizer_config.json": json.dumps(_tokenizer_config(vocabulary), indent=2) + "\n",
    }
    for name, text in texts.items():
        write_atomically(folder / name, [text.encode()])


def _read_tokenizer_json(file: Path) -> Vocabulary:
    document = _read_json_object(file)
    tokenizer_json.refuse_unless_gpt2(document, source=str(file))
    merges = parse_merges(tokenizer_json.merge_lines(document, source=str(file)), source=str(file))
    added = tokenizer_json.added_tokens(document, source=str(file))
    return _assemble(merges, document["model"]["vocab"], added, source=str(file))


def _read_vocab_and_merges(folder: Path) -> Vocabulary:
    source = folder / "merges.txt"
    merges = parse_merges(_read_text(source).splitlines(), source=str(source))
    added = _read_json_object(folder / "added_tokens.json") if (folder / "added_tokens.json").is_file() else {}
    return _assemble(merges, _read_json_object(folder / "vocab.json"), added, source=str(folder / "vocab.json"))


def _assemble(merges: list[Pair], vocab: Mapping[str, Any], added: Mapping[str, Any], source: str) -> Vocabulary:
    """A vocabulary from its merges and the ids; what is added, or bracketed like `<|endoftext|>`, is special."""
    id_of = {**vocab, **added}
    tokens = _in_order_of_id(id_of, source)
    bytes_of = {character: bytes([byte]) for character, byte in BYTE_OF.items()}
    for left, right in merges:
        bytes_of[to_piece(left + right)] = left + right
    if clash := added.keys() & bytes_of.keys():
        raise TokenizerError(f"{source}: the added token {min(clash)!r} is also an ordinary token; rename it")
    special = {piece: id_of[piece] for piece in tokens if piece not in bytes_of}
    for piece in special.keys() - added.keys():
        if piece[:1] + piece[-1:] not in BRACKETS:
            raise TokenizerError(
                f"{source}: no merge makes {piece!r}; fetch the merges again, or list it as an added token"
            )
    try:
        return Vocabulary(tuple(merges), tuple(bytes_of.get(piece) or piece.encode() for piece in tokens), special)
    except (TokenizerError, UnicodeEncodeError) as error:
        raise TokenizerError(f"{source}: {error}") from None


def _in_order_of_id(id_of: Mapping[str, Any], source: str) -> list[str]:
    pieces: list[str | None] = [None] * len(id_of)
    for piece, i in id_of.items():
        if isinstance(i, bool) or not isinstance(i, int) or not 0 <= i < len(pieces):
            raise TokenizerError(
                f"{source}: {piece!r} has id {i!r}; {len(pieces)} tokens need ids 0 to {len(pieces) - 1}"
            )
        if pieces[i] is not None:
            raise TokenizerError(f"{source}: {pieces[i]!r} and {piece!r} both have id {i}; each token needs its own")
        pieces[i] = piece
    return [piece for piece in pieces if piece is not None]


def _tokenizer_config(vocabulary: Vocabulary) -> dict[str, Any]:
    eot = END_OF_TEXT if END_OF_TEXT in vocabulary.special_tokens else None
    names = dict.fromkeys(["bos_token", "eos_token", "unk_token"], eot)
    return {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, **names}


def _read_json_object(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read_text(file), object_pairs_hook=_refuse_repeated_keys)
    except (json.JSONDecodeError, RecursionError) as error:
        raise TokenizerError(f"{file} is not valid JSON ({error}); fetch it again") from None
    except _RepeatedKey as error:
        raise TokenizerError(f"{file} names {error.args[0]!r} twice; each token needs one id") from None
    if not isinstance(content, dict):
        raise TokenizerError(f"{file} holds a JSON {type(content).__name__}, not an object; it is not a tokenizer file")
    return content


def _read_text(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise TokenizerError(f"{file} is larger than {MAX_FILE_BYTES >> 20} MiB, which no GPT-2 vocabulary is")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{file} is not UTF-8 at byte {error.start:,}; fetch it again") from None


class _RepeatedKey(Exception):
    pass


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        raise _RepeatedKey(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return content
