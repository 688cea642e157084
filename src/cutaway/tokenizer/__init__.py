"""GPT-2's byte-level BPE: text to ids and back.

Read in this order: `byte_alphabet`, `split`, `bpe`, `training`, `vocabulary`, `tokenizer`.
"""

from cutaway.tokenizer.bpe import MergeStep
from cutaway.tokenizer.stream import StreamDecoder
from cutaway.tokenizer.tokenizer import ChunkExplanation, Tokenizer
from cutaway.tokenizer.vocabulary import END_OF_TEXT, Vocabulary

__all__ = ["END_OF_TEXT", "ChunkExplanation", "MergeStep", "StreamDecoder", "Tokenizer", "Vocabulary"]
