"""The one-file format of Hugging Face's `tokenizers` library, as far as it describes a GPT-2.

Source: huggingface/tokenizers, the serialised form of Tokenizer, BPE and ByteLevel.
"""

from collections.abc import Mapping
from typing import Any

from cutaway.errors import TokenizerError
from cutaway.tokenizer.byte_alphabet import to_piece
from cutaway.tokenizer.vocabulary import Vocabulary

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def describe(vocabulary: Vocabulary) -> dict[str, Any]:
    """The document that makes `tokenizers` and `transformers` encode as this vocabulary does."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added_token(text, i) for text, i in vocabulary.special_tokens.items()],
        "normalizer": None,
        "pre_tokenizer": BYTE_LEVEL,
        "post_processor": {**BYTE_LEVEL, "trim_offsets": False},
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary.pieces,
            "merges": [[to_piece(left), to_piece(right)] for left, right in vocabulary.merges],
        },
    }


def refuse_unless_gpt2(document: Mapping[str, Any], source: str) -> None:
    """Refuse a tokenizer that would give other ids than GPT-2's rules do.

    Raises: TokenizerError saying what was found.
    """
    model, pre = _part(document, "model"), _part(document, "pre_tokenizer")
    post_processor = _kind(document, "post_processor")
    for found, wanted in [
        (f"the model {model.get('type', 'BPE')!r}", model.get("type", "BPE") == "BPE"),
        ("no vocab of ids by token", isinstance(model.get("vocab"), dict)),
        ("no list of merges", isinstance(model.get("merges"), list)),
        *((f"{name}={model.get(name)!r}", not model.get(name)) for name in _MODEL_OPTIONS),
        (f"the normalizer {_kind(document, 'normalizer')!r}", not document.get("normalizer")),
        (f"the pre_tokenizer {_kind(document, 'pre_tokenizer')!r}", pre.get("type") == "ByteLevel"),
        ("add_prefix_space=true", not pre.get("add_prefix_space")),
        ("use_regex=false", pre.get("use_regex", True) is True),
        (f"the post_processor {post_processor!r}", post_processor in (None, "ByteLevel")),
    ]:
        if not wanted:
            raise TokenizerError(f"{source} has {found}; only byte-level BPE exactly as in GPT-2 can be read")


def merge_lines(document: Mapping[str, Any], source: str) -> list[str]:
    """The merges as the lines of a merges.txt; newer files have them as pairs.

    Raises: TokenizerError for an entry that is neither.
    """
    lines = [" ".join(entry) if _is_pair(entry) else entry for entry in document["model"]["merges"]]
    for line in lines:
        if not isinstance(line, str):
            raise TokenizerError(f"{source} has the merge {line!r}; a merge is two strings")
    return lines


def added_tokens(document: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The ids of the added tokens by text.

    Raises: TokenizerError for an entry without text or id.
    """
    entries = document.get("added_tokens") or []
    try:
        return {str(entry["content"]): entry["id"] for entry in entries}
    except (TypeError, KeyError):
        raise TokenizerError(f"{source} has an added token without 'content' or 'id'; fetch it again") from None


_MODEL_OPTIONS = ["dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"]


def _added_token(text: str, i: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": i, "content": text, **flags}


def _is_pair(entry: object) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _kind(document: Mapping[str, Any], name: str) -> Any:
    return _part(document, name).get("type") if isinstance(document.get(name), dict) else document.get(name)
