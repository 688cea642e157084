"""Undoing what the makers of test sets did to their text: spaces before commas, split contractions, marked hyphens.

A model of ordinary text is surprised by such habits, not by what is said. The paper therefore evaluates text with as
many of them removed as can be put back, and divides the loss by the number of units of the original. `retokenize` puts
them back. On most lines that gives the original to the letter; where a full stop may end an abbreviation or
a sentence, or an apostrophe a plural or a quotation, it can only guess.

Source: Radford et al. 2019, section 3.1; the rules are ours, from what the sets look like.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CLOSING = frozenset([",", ";", ":", "!", "?", ".", "...", "%", ")", "]", "}", "°"])
OPENING = frozenset(["(", "[", "{", "$", "£", "#"])
ENDINGS = ("n't", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
TREEBANK = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}", "``": '"', "''": '"'}
TREEBANK_OPENING, QUOTES = ("``",), ('"',)
ESCAPED = r"\/"
MARKED = {"@-@": "-", "@,@": ",", "@.@": "."}
"""How WikiText keeps apart what stood inside a word or a number."""

ABBREVIATION = re.compile(
    r"([A-Z]|(\w\.)+\w|(?i:dr|mr|mrs|ms|lt|vs|approx|capt|sgt|prof|inc)|St|Sr|Col|Gen|Maj|Nos?|Ave|Rev|Gov|Sen|Bros|Co|cf)\."
)
NUMBER_MARK = re.compile(r"(?<=\d)([,.])(?=\d)")
HYPHEN = re.compile(r"(?<=[^\s-])-(?=[^\s-])")


@dataclass(frozen=True, kw_only=True)
class Detokenizer:
    """The habits of one set, to be undone and put back."""

    name: str
    marks: bool = False
    """Whether hyphens, commas and points inside words are marked by @."""
    treebank: bool = False
    """Whether quotation marks and brackets are written as in the Penn Treebank."""
    slashes: bool = False
    """Whether a slash has a backslash before it, as in the Penn Treebank."""
    endings: Sequence[str] = ENDINGS
    """Parts of words that stand by themselves."""

    def detokenize(self, text: str) -> str:
        """The text as people write it, line by line."""
        lines = (self._joined(line.split()) for line in text.split("\n"))
        return "\n".join(line.replace(ESCAPED, "/") if self.slashes else line for line in lines)

    def retokenize(self, text: str) -> str:
        """The text with the set's habits again, spaces at the ends of lines excepted."""
        lines = (self._split(line) for line in text.split("\n"))
        return "\n".join(line.replace("/", ESCAPED) if self.slashes else line for line in lines)

    def _joined(self, tokens: Sequence[str]) -> str:
        line, glued, open_quotes = "", True, {'"': False, "'": False}
        for token in tokens:
            written = MARKED.get(token, token) if self.marks else TREEBANK.get(token, token) if self.treebank else token
            left, right = self._attaches(token, written, line, open_quotes)
            line += written if glued or left else f" {written}"
            glued = right
        return line

    def _attaches(self, token: str, written: str, line: str, open_quotes: dict[str, bool]) -> tuple[bool, bool]:
        """Whether a token stands close to what is before it, and to what comes after."""
        if written != token and self.marks:
            return True, True
        if written in open_quotes:
            if written == "'" and line.endswith("s") and not open_quotes["'"]:
                return True, False  # the boys'
            # ``this'' says itself which side it stands on.
            opens = not open_quotes[written] if token == written else token in TREEBANK_OPENING
            open_quotes[written] = opens
            return not opens, opens
        return written in CLOSING or written in self.endings, written in OPENING

    def _split(self, line: str) -> str:
        tokens: list[str] = []
        open_quote = False
        for word in line.split(" "):
            for token in self._tokens_of(word):
                open_quote ^= token in QUOTES
                tokens.append(self._escaped(token, open_quote))
        return " ".join(tokens)

    def _tokens_of(self, word: str) -> Iterator[str]:
        """The tokens that were glued together in a word."""
        while len(word) > 1 and (word[0] in OPENING or word[0] in "\"'") and word not in self.endings:
            yield word[0]
            word = word[1:]
        tail: list[str] = []
        while len(word) > 1 and (end := self._end_of(word)):
            tail.insert(0, end)
            word = word[: -len(end)]
        if self.marks:
            word = HYPHEN.sub(" @-@ ", NUMBER_MARK.sub(r" @\1@ ", word))
        yield from filter(None, [word, *tail])

    def _end_of(self, word: str) -> str:
        """What a word ends in that stood by itself, if anything."""
        if word == "...":
            return ""
        if word.endswith("..."):
            return "..."
        if word[-1] == "." and ABBREVIATION.fullmatch(word):
            return ""
        if word[-1] in CLOSING or word[-1] in "\"'":
            return word[-1]
        return next((ending for ending in self.endings if word.endswith(ending) and word != ending), "")

    def _escaped(self, token: str, opens: bool) -> str:
        if not self.treebank:
            return token
        if token in QUOTES:
            return "``" if opens else "''"
        return next((name for name, mark in TREEBANK.items() if mark == token), token)


# Two schools: "do n't" as in the Penn Treebank, and "don 't" as Moses writes it.
MOSES_ENDINGS = tuple(ending for ending in ENDINGS if ending != "n't")
PENN_ENDINGS = tuple(ending for ending in ENDINGS if ending != "'t")

WIKITEXT = Detokenizer(name="wikitext", marks=True, endings=MOSES_ENDINGS)
NEWS = Detokenizer(name="1bw", endings=MOSES_ENDINGS)
PENN = Detokenizer(name="penn", slashes=True, endings=PENN_ENDINGS)
TREEBANK_TEXT = Detokenizer(name="treebank", treebank=True, endings=PENN_ENDINGS)
