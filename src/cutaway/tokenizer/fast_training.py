"""Learning the merges in Rust, by Hugging Face's `tokenizers`: the same merges as `training`, much faster.

This is the only module that imports `tokenizers`.
"""

import json
from collections.abc import Iterable

from cutaway.errors import MissingExtraError, TokenizerError
from cutaway.tokenizer.byte_alphabet import BYTE_ORDER
from cutaway.tokenizer.merge_list import parse_merges
from cutaway.tokenizer.tokenizer import Tokenizer
from cutaway.tokenizer.vocabulary import END_OF_TEXT, Pair, Vocabulary

MAX_VOCAB_SIZE = 1 << 20
SMALLEST = 257
"""256 bytes and `<|endoftext|>`."""


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """A tokenizer learned from texts: 256 bytes, the merges, and `<|endoftext|>` with the last id.

    Raises: TokenizerError when `vocab_size` is out of range, or above what the texts can fill; MissingExtraError
        when `tokenizers` is not installed.
    """
    if not SMALLEST <= vocab_size <= MAX_VOCAB_SIZE:
        raise TokenizerError(
            f"vocab_size={vocab_size} is out of range; it must be from {SMALLEST} to {MAX_VOCAB_SIZE:,}"
        )
    merges = learn_merges(texts, vocab_size - SMALLEST)
    # Two merges may make the same token, as `aa`+`a` and `a`+`aa` do; it gets one id.
    single, merged = [bytes([byte]) for byte in BYTE_ORDER], [left + right for left, right in merges]
    tokens = [*dict.fromkeys([*single, *merged, END_OF_TEXT.encode()])]
    if len(tokens) < vocab_size:
        raise TokenizerError(
            f"the texts teach only {len(tokens):,} tokens, not vocab_size={vocab_size:,}; give more text"
        )
    return Tokenizer(Vocabulary(tuple(merges), tuple(tokens), {END_OF_TEXT: len(tokens) - 1}))


def learn_merges(texts: Iterable[str], n_merges: int) -> list[Pair]:
    """Up to `n_merges` merges that the texts teach, most important first.

    Raises: MissingExtraError when `tokenizers` is not installed.
    """
    try:
        import tokenizers
        from tokenizers import models, pre_tokenizers, trainers
    except ModuleNotFoundError:
        raise MissingExtraError("tokenizers", "data", "training a vocabulary") from None
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    # No special token here: it would take the first id, and ours is the last.
    trainer = trainers.BpeTrainer(
        vocab_size=256 + n_merges,
        special_tokens=[],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learned = json.loads(learner.to_str())["model"]["merges"]
    lines = [merge if isinstance(merge, str) else " ".join(merge) for merge in learned]
    return parse_merges(lines, source="the learned vocabulary")
