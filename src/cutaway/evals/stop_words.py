"""Words that hold sentences together and say little by themselves: never the last word that LAMBADA asks for."""

from cutaway.tokenizer import AnyTokenizer

_WORDS = """
a about above after again against ain all also am an and any are as at be because been before being below between
both but by can could did do does doing don down during each few for from further had has have having he her here
hers herself him himself his how i if in into is it its itself just like may me might more most must my myself no
nor not now of off on once only or other our ours ourselves out over own s same shall she should so some such t than
that the their theirs them themselves then there these they this those through to too under until up upon us very
was we were what when where which while who whom why will with would yet you your yours yourself yourselves
"""
_MARKS = """
. , ; : ! ? ... - -- — – ' " ( ) [ ] “ ” ‘ ’ ` `` ''
"""

STOP_WORDS, MARKS = frozenset(_WORDS.split()), tuple(_MARKS.split())
"""Function words; and punctuation, which is no word either."""


def stop_tokens(tokenizer: AnyTokenizer) -> frozenset[int]:
    """Tokens that are a stop word or a mark as a whole, after a space or not, and the line end."""
    found = set()
    for word in (*STOP_WORDS, *MARKS, "\n"):
        for form in (word, f" {word}", word.capitalize(), f" {word.capitalize()}"):
            ids = tokenizer.encode(form)
            if len(ids) == 1:
                found.add(ids[0])
    return frozenset(found if tokenizer.eot is None else found | {tokenizer.eot})
