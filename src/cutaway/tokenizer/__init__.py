"""Text to ids and back: GPT-2's byte-level BPE, and for first steps one id a character.

Read in this order: `characters`; then `byte_alphabet`, `split`, `bpe`, `training`, `vocabulary`, `tokenizer`.
"""

from cutaway.tokenizer.bpe import MergeStep
from cutaway.tokenizer.characters import CharTokenizer
from cutaway.tokenizer.saved import AnyTokenizer, open_tokenizer
from cutaway.tokenizer.stream import StreamDecoder
from cutaway.tokenizer.tokenizer import ChunkExplanation, Tokenizer
from cutaway.tokenizer.vocabulary import END_OF_TEXT, Vocabulary

__all__ = [
    "END_OF_TEXT",
    "AnyTokenizer",
    "CharTokenizer",
    "ChunkExplanation",
    "MergeStep",
    "StreamDecoder",
    "Tokenizer",
    "Vocabulary",
    "open_tokenizer",
]
