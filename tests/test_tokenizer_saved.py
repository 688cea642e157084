import pytest

from cutaway.errors import TokenizerError
from cutaway.tokenizer import CharTokenizer, Tokenizer, open_tokenizer
from tiny import STORY


@pytest.mark.parametrize("tokenizer", [CharTokenizer.from_texts([STORY]), Tokenizer.train([STORY], 260)], ids=repr)
def test_a_folder_gives_back_the_kind_of_tokenizer_it_holds(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    opened = open_tokenizer(tmp_path)
    assert type(opened) is type(tokenizer)
    assert opened == tokenizer


def test_a_folder_without_one_is_refused(tmp_path):
    with pytest.raises(TokenizerError, match="holds no tokenizer; it needs"):
        open_tokenizer(tmp_path)
