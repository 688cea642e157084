"""Exercises of chapter 14: looking inside."""

from functools import cache

from cutaway.errors import CutawayError
from cutaway.guide.bundled import fable
from cutaway.guide.exercise import Chapter, Exercise, Verdict
from cutaway.inspect import ablate_heads, all_names, attribute, detect_heads

EXAMPLE, AHEAD = "The old woman put on", 0.5


@cache
def strongest_induction() -> str:
    """The head that looks most where an induction head looks."""
    best = detect_heads(fable()).best("induction", 1)[0]
    return f"{best['layer']}.{best['head']}"


def induces(answer: str) -> Verdict:
    """Whether that is the head."""
    right = answer.strip() == strongest_induction()
    return Verdict(right, f"{answer.strip()} {'is' if right else 'is not'} it")


def difference(text: str, *, without: bool = False) -> float:
    """By how much the logit of ` her` is above that of ` his`, perhaps without head 3.1."""
    model = fable().edited(ablate_heads(3, 1)) if without else fable()
    return attribute(model, text, " her", against=" his").logit


def turned(answer: str) -> Verdict:
    """Whether another sentence turns from her to his without the head."""
    if answer.strip() == EXAMPLE:
        return Verdict(False, "that is the chapter's own")
    try:
        whole, less = difference(answer.strip()), difference(answer.strip(), without=True)
    except CutawayError as error:
        return Verdict(False, str(error))
    return Verdict(whole > 0 > less, f"her less his: {whole:.2f}, and without 3.1 {less:.2f}")


def unmoved(answer: str) -> Verdict:
    """Whether there is a sentence that says her and says so without the head."""
    try:
        whole, less = difference(answer.strip()), difference(answer.strip(), without=True)
    except CutawayError as error:
        return Verdict(False, str(error))
    return Verdict(whole > AHEAD and less > AHEAD, f"her less his: {whole:.2f}, and without 3.1 {less:.2f}")


def named(answer: str) -> Verdict:
    """Whether that is the activation which the MLP of layer 2 writes into the stream."""
    known = all_names(4)
    if answer.strip() not in known:
        return Verdict(False, f"there is no activation {answer.strip()!r}; one is {known[5]!r}")
    right = answer.strip() == "h.2.mlp_out"
    return Verdict(right, f"{answer.strip()} {'is' if right else 'is not'} what it writes")


CHAPTER = Chapter(
    title="Looking inside",
    exercises=(
        Exercise(
            question="What is the name of the activation that the MLP of layer 2 writes into the stream?",
            hint="inspect.all_names(4) lists them all",
            check=named,
        ),
        Exercise(
            question="Which head of `fable` comes nearest to an induction head? (As `0.2`.)",
            hint="the largest number of the hunt",
            check=induces,
        ),
        Exercise(
            question="Find another sentence in which ` her` is likelier than ` his`, and without head 3.1 no longer.",
            hint="begin like the example, with another person or another deed: attribute(…).logit is her less his",
            check=turned,
        ),
        Exercise(
            question="And one that breaks the story: ` her` ahead by more than 0.5 with the head, and without it too.",
            hint="let several words speak of a woman, or let the deed do so",
            check=unmoved,
        ),
    ),
)
