"""The Children's Book Test: which of ten words was left out of a sentence. Source: Hill et al. 2016.

As in the paper (section 3.2), a candidate is as likely as itself and the rest of the sentence are, given everything
before.
"""

from collections.abc import Iterable, Iterator, Sequence

from cutaway.errors import EvaluationError
from cutaway.evals.detokenize import Detokenizer
from cutaway.evals.task import Pair, Question

BLANK = "XXXXX"


def cloze_questions(lines: Iterable[str], detokenizer: Detokenizer) -> Iterator[Question]:
    """The questions of a file of numbered lines: sentences, then one with a blank, its answer, and the candidates.

    Raises: EvaluationError for a line that is none of these.
    """
    story: list[str] = []
    for number, line in enumerate(lines, start=1):
        _, _, text = line.strip().partition(" ")
        if not text:
            story = []
        elif BLANK not in text or "\t" not in text:
            story.append(text)
        else:
            yield _question(story, text.split("\t"), number, detokenizer)
            story = []


def _question(story: Sequence[str], fields: Sequence[str], number: int, detokenizer: Detokenizer) -> Question:
    sentence, answer, candidates = fields[0], fields[1] if len(fields) > 1 else "", fields[-1].strip().split("|")
    if answer not in candidates:
        raise EvaluationError(
            f"line {number:,} has the answer {answer!r}, which is none of its candidates; mend the file"
        )
    filled = [detokenizer.detokenize(" ".join([*story, sentence.replace(BLANK, word, 1)])) for word in candidates]
    border = _border(filled)
    return Question(
        pairs=[Pair(text[:border], text[border:]) for text in filled],
        characters=[len(word) for word in candidates],
        answer=candidates.index(answer),
    )


def _border(texts: Sequence[str]) -> int:
    """Where the texts part: before the space of the first word that is not in all of them."""
    shared = next((place for place, letters in enumerate(zip(*texts, strict=False)) if len(set(letters)) > 1), 0)
    return max(texts[0].rfind(" ", 0, shared + 1), 0)
