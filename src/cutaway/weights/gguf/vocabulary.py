"""A byte-level BPE as llama.cpp wants it, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from cutaway.errors import CheckpointError, TokenizerError
from cutaway.tokenizer import END_OF_TEXT, AnyTokenizer, Tokenizer, Vocabulary
from cutaway.tokenizer.byte_alphabet import from_piece, to_piece
from cutaway.weights.gguf.values import Value

NORMAL, CONTROL, UNUSED = 1, 3, 5
"""llama.cpp's types of tokens. Source: gguf-py/gguf/constants.py, TokenType."""

PREFIX = "tokenizer.ggml."


def describe(tokenizer: AnyTokenizer, vocab_size: int) -> dict[str, Value]:
    """What llama.cpp needs to cut a text as this tokenizer does; ids that the model has beyond it are unused.

    Raises: TokenizerError when it is no byte-level BPE, has no `<|endoftext|>`, or more tokens than the model.
    """
    if not isinstance(tokenizer, Tokenizer):
        raise TokenizerError("a GGUF file holds a byte-level BPE, not a vocabulary of characters; export to hf instead")
    if tokenizer.eot is None:
        raise TokenizerError(
            f"the vocabulary has no {END_OF_TEXT}, and llama.cpp would take token 11 for it; export to hf instead"
        )
    if tokenizer.n_vocab > vocab_size:
        sizes = f"the tokenizer has {tokenizer.n_vocab:,} tokens, the model only {vocab_size:,}"
        raise TokenizerError(f"{sizes}; they do not belong together")
    values: dict[str, Value] = {
        "model": "gpt2",
        "pre": "gpt-2",
        **_tokens(tokenizer.vocabulary, vocab_size),
        "merges": [f"{to_piece(left)} {to_piece(right)}" for left, right in tokenizer.vocabulary.merges],
        "bos_token_id": tokenizer.eot,
        "eos_token_id": tokenizer.eot,
        "add_bos_token": False,
        "add_eos_token": False,
    }
    return {PREFIX + name: value for name, value in values.items()}


def _tokens(vocabulary: Vocabulary, vocab_size: int) -> dict[str, Value]:
    special = set(vocabulary.special_tokens.values())
    pieces, unused = list(vocabulary.pieces), range(len(vocabulary.tokens), vocab_size)
    types = [CONTROL if i in special else NORMAL for i in range(len(pieces))]
    return {
        "tokens": [*pieces, *(f"[UNUSED{i}]" for i in unused)],
        "token_type": [*types, *(UNUSED for _ in unused)],
    }


def tokenizer_from(values: Mapping[str, Any], source: str) -> Tokenizer:
    """The tokenizer that a file describes.

    Raises: CheckpointError when it is another kind than GPT-2's, or damaged.
    """
    kind = values.get(f"{PREFIX}model"), values.get(f"{PREFIX}pre", "gpt-2")
    if kind != ("gpt2", "gpt-2"):
        raise CheckpointError(f"{source} has a tokenizer of kind {kind}, not GPT-2's; it cannot be read here")
    tokens, merges = (_texts(values, name, source) for name in ("tokens", "merges"))
    types = values.get(f"{PREFIX}token_type", [NORMAL] * len(tokens))
    if not isinstance(types, list) or len(types) != len(tokens):
        raise CheckpointError(f"{source} has {len(tokens):,} tokens and not as many types; fetch it again")
    used = list(zip(tokens, types, strict=True))
    while used and used[-1][1] == UNUSED:  # what the model has beyond the vocabulary
        used.pop()
    special = {token: i for i, (token, kind) in enumerate(used) if kind != NORMAL}
    try:
        return Tokenizer(
            Vocabulary(
                tuple((from_piece(left), from_piece(right)) for left, right in map(_pair, merges)),
                tuple(token.encode() if kind != NORMAL else from_piece(token) for token, kind in used),
                special,
            )
        )
    except TokenizerError as error:
        raise CheckpointError(f"{source}: {error}") from None


def _texts(values: Mapping[str, Any], name: str, source: str) -> Sequence[str]:
    found = values.get(PREFIX + name)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise CheckpointError(f"{source} has no {PREFIX}{name}; a model needs its vocabulary, fetch it again")
    return found


def _pair(merge: str) -> tuple[str, str]:
    left, _, right = merge.partition(" ")
    return left, right
