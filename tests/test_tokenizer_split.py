import regex
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from cutaway.tokenizer.split import LETTER, NUMBER, SYMBOL, WHITESPACE, chunk_pattern, cut_long_blanks, split

BYTES = {bytes([byte]): byte for byte in range(256)}
UNICODE = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
BLANKS = st.text(" \n\t\u3000\u00a0", min_size=250, max_size=300)


def members_by_tiktoken(character_class):
    """The characters of a class by tiktoken's tables: what the pattern does not match, it drops."""
    encoding = tiktoken.Encoding("class", pat_str=character_class, mergeable_ranks=BYTES, special_tokens={})
    return set(bytes(encoding.encode_ordinary(UNICODE)).decode())


def members(character_class):
    return set(regex.compile(character_class, regex.VERSION1).findall(UNICODE))


def test_all_of_unicode_is_classed_as_tiktoken_does():
    letters, numbers = members(LETTER), members(NUMBER)
    assert letters == members_by_tiktoken(r"\p{L}")
    assert numbers == members_by_tiktoken(r"\p{N}")
    assert members(f"[{WHITESPACE}]") == members(r"\s") == members_by_tiktoken(r"\s")
    assert members(SYMBOL) == set(UNICODE) - letters - numbers - members(r"\s")


def test_words_take_the_space_before_them():
    assert split("Hello World. It's 42!") == ["Hello", " World", ".", " It", "'s", " 42", "!"]


def test_the_last_of_many_spaces_goes_with_the_word():
    assert split("a   b\n\n c \n") == ["a", "  ", " b", "\n\n", " c", " \n"]


def test_only_lower_case_english_endings_are_cut():
    assert split("I'll we've HE'S") == ["I", "'ll", " we", "'ve", " HE", "'", "S"]


def test_no_text_has_no_chunks():
    assert split("") == [] == cut_long_blanks("")


@given(st.one_of(st.text(st.characters(max_codepoint=127)), st.text(" \n\t\x1c'sredtvml0-a", max_size=30)))
def test_ascii_is_cut_as_any_text_is(text):
    assert split(text) == chunk_pattern().findall(text)


@given(st.text())
def test_chunks_join_to_the_text(text):
    assert "".join(split(text)) == text


@given(st.lists(st.one_of(BLANKS, st.text(max_size=5)), max_size=6).map("".join))
def test_cutting_long_blanks_changes_no_chunk(text):
    assert [chunk for piece in cut_long_blanks(text) for chunk in split(piece)] == split(text)


def test_a_long_blank_is_cut_before_its_last_space():
    assert cut_long_blanks("a" + " " * 300 + "b") == ["a", " " * 299, " b"]
    assert cut_long_blanks("a" + " " * 300) == ["a" + " " * 300]
