"""Exercises of chapter 4: embeddings."""

from cutaway.errors import InspectionError
from cutaway.guide.bundled import fable
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check

CLOSE = 0.8


def odd_one_out(answer: str) -> Verdict:
    """Whether that word is the one farthest from the mean of the four."""
    from torch.nn import functional as F

    words = ("red", "blue", "green", "horse")
    table, tokenizer = fable().model.wte.weight.detach(), fable().tokenizer
    rows = F.normalize(table[[tokenizer.id_of(f"Ġ{word}") for word in words]], dim=1)
    cosines = dict(zip(words, (rows @ rows.mean(0)).tolist(), strict=True))
    farthest = min(cosines, key=lambda word: cosines[word])
    return Verdict(
        answer.strip() == farthest, f"cosines with the mean: { {w: round(c, 2) for w, c in cosines.items()} }"
    )


def close_pair(answer: str) -> Verdict:
    """Whether two words have rows that point nearly the same way."""
    from cutaway.inspect import token_embedding

    words = [word.strip() for word in answer.replace(",", " ").split()]
    if len(words) != 2 or words[0] == words[1]:
        return Verdict(False, f"{answer!r} is not two different words")
    try:
        cosine = float(token_embedding(fable()).rows([f"Ġ{word}" for word in words]).similarity().values[0, 1])
    except InspectionError as error:
        return Verdict(False, str(error))
    return Verdict(cosine > CLOSE, f"their cosine is {cosine:.3f}")


CHAPTER = Chapter(
    title="Embeddings",
    exercises=(
        Exercise(
            question="How many numbers do GPT-2's `wte` and `wpe` hold together (50,257 and 1,024 rows of 768)?",
            hint="rows times columns, for each of the two, added up",
            check=number_check(lambda: (50257 + 1024) * 768, "numbers"),
        ),
        Exercise(
            question="Which of `red blue green horse` has the smallest cosine with the mean of the four?",
            hint="take each row at length 1, take their mean, and multiply",
            check=odd_one_out,
        ),
        Exercise(
            question="Find two words whose rows in `fable` have a cosine above 0.8. (Words with a token of their own, "
            "written without the space: `king queen`.)",
            hint="print nearest(row(word)) for words of a kind: ways to speak, countries, numbers",
            check=close_pair,
        ),
    ),
)
