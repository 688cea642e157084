"""Which tokenizer a corpus is prepared with: GPT-2's, a saved one, or one made from the corpus."""

from cutaway.cli import loading, terminal
from cutaway.data import Corpus, PrepareSettings, all_pieces
from cutaway.errors import ConfigError
from cutaway.tokenizer import AnyTokenizer, CharTokenizer

CHARACTERS, TRAIN = "char", "train"


def choose_tokenizer(name: str, vocab_size: int | None, corpus: Corpus, settings: PrepareSettings) -> AnyTokenizer:
    """The tokenizer of that name, made from the corpus if it says so.

    Raises: ConfigError for a contradiction; TokenizerError when a saved one is damaged; DataError when the corpus
        cannot be read.
    """
    if (name == TRAIN) != (vocab_size is not None):
        raise ConfigError("--vocab-size and --tokenizer train go together; give both, such as --vocab-size 8192")
    if name == CHARACTERS:
        terminal.notice("looking for the characters of the corpus")
        return CharTokenizer.from_texts(piece.text for piece in all_pieces(corpus, settings))
    if vocab_size is not None:
        from cutaway.tokenizer.fast_training import train_tokenizer

        terminal.notice(f"learning {vocab_size:,} tokens from the corpus")
        return train_tokenizer((piece.text for piece in all_pieces(corpus, settings)), vocab_size)
    return loading.load_tokenizer(name)
