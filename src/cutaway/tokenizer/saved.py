"""Whichever tokenizer a folder holds."""

import os
from typing import TypeAlias

from cutaway.tokenizer.characters import CharTokenizer, is_saved_in
from cutaway.tokenizer.tokenizer import Tokenizer

AnyTokenizer: TypeAlias = Tokenizer | CharTokenizer


def open_tokenizer(path: str | os.PathLike[str]) -> AnyTokenizer:
    """The tokenizer of a folder: characters, or a byte-level BPE.

    Raises: TokenizerError when the folder holds neither, or a damaged one.
    """
    return CharTokenizer.from_folder(path) if is_saved_in(path) else Tokenizer.from_folder(path)
