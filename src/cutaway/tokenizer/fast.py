"""Byte-pair encoding in Rust, by tiktoken: the same ids as `bpe.encode`, a hundred times faster.

This is the only module that imports tiktoken.
"""

import tiktoken

from cutaway.tokenizer import bpe
from cutaway.tokenizer.gpt2 import gpt2_vocabulary
from cutaway.tokenizer.split import cut_long_blanks
from cutaway.tokenizer.vocabulary import Vocabulary

# The pattern of split.py in possessive form, which does not backtrack. Source: openai/tiktoken, openai_public.py.
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


class FastEncoder:
    """tiktoken's core over a vocabulary for which `is_exact_for` holds."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        made = [vocabulary.ids[left + right] for left, right in vocabulary.merges]
        # tiktoken takes ids for priorities; where they disagree, it gets the priorities and the ids are put in after.
        self._id_of_rank: list[int] | None = None
        ranks = vocabulary.ids
        if made != sorted(made):
            ranks = {token: rank for rank, token in enumerate(_by_priority(vocabulary))}
            self._id_of_rank = [vocabulary.ids[token] for token in ranks]
        self._encoding = tiktoken.Encoding("cutaway", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})

    def encode(self, text: str) -> list[int]:
        """The ids of a text, special tokens taken as ordinary text."""
        ids: list[int] = []
        for piece in cut_long_blanks(text):
            ids += self._encoding.encode_ordinary(piece)
        return ids if self._id_of_rank is None else [self._id_of_rank[i] for i in ids]


def is_exact_for(vocabulary: Vocabulary) -> bool:
    """Whether tiktoken's way of merging gives what the list of merges says.

    tiktoken joins two neighbours whenever together they are a token, whichever merge made that token. That is the
    same thing exactly if each token has one merge and its own bytes encode to it, as in every vocabulary that came
    from training; one written by hand may differ.
    """
    if len(vocabulary.merges) == 50_000 and vocabulary.merges == gpt2_vocabulary().merges:
        return True  # known, and checked by a test; going through it again would take most of a second
    if len(vocabulary.ids) != 256 + len(vocabulary.merges):
        return False
    return all(len(bpe.merge(token, vocabulary.ranks)) == 1 for token in vocabulary.ids)


def _by_priority(vocabulary: Vocabulary) -> list[bytes]:
    single = [token for token in vocabulary.ids if len(token) == 1]
    return single + [left + right for left, right in vocabulary.merges]
