"""Exercises of chapter 14: looking inside."""

from functools import cache

from cutaway.errors import CutawayError
from cutaway.guide.bundled import fable, name_of_head
from cutaway.guide.exercise import Chapter, Exercise, Verdict
from cutaway.inspect import ablate_heads, all_names, attribute, detect_heads

EXAMPLE, AHEAD = "The old woman put on", 0.5


@cache
def strongest_induction() -> str:
    """The head that looks most where an induction head looks."""
    best = detect_heads(fable()).best("induction", 1)[0]
    return name_of_head(best["layer"], best["head"])


def induces(answer: str) -> Verdict:
    """Whether that is the head."""
    right = answer.strip() == strongest_induction()
    return Verdict(right, f"{answer.strip()} {'is' if right else 'is not'} it")


@cache
def deciding_head() -> tuple[int, int]:
    """The layer and the number of the head that adds most to ` her`, less ` his`, in the chapter's example."""
    votes = attribute(fable(), EXAMPLE, " her", against=" his").heads.values
    return divmod(int(votes.argmax()), fable().config.n_head)


def difference(text: str, *, without: bool = False) -> float:
    """By how much the logit of ` her` is above that of ` his`, perhaps without the head that decides the example."""
    model = fable().edited(ablate_heads(*deciding_head())) if without else fable()
    return attribute(model, text, " her", against=" his").logit


def both(text: str) -> tuple[float, float, str]:
    """The difference with the head and without it, and the two in words.

    Raises: CutawayError for a text that the model cannot read.
    """
    whole, less = difference(text), difference(text, without=True)
    return whole, less, f"her less his: {whole:.2f}, and without {name_of_head(*deciding_head())} {less:.2f}"


def turned(answer: str) -> Verdict:
    """Whether another sentence turns from her to his without the head."""
    if answer.strip() == EXAMPLE:
        return Verdict(False, "that is the chapter's own")
    try:
        whole, less, remark = both(answer.strip())
    except CutawayError as error:
        return Verdict(False, str(error))
    return Verdict(whole > 0 > less, remark)


def unmoved(answer: str) -> Verdict:
    """Whether there is a sentence that says her and says so without the head."""
    try:
        whole, less, remark = both(answer.strip())
    except CutawayError as error:
        return Verdict(False, str(error))
    return Verdict(whole > AHEAD and less > AHEAD, remark)


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
            question="Find another sentence in which ` her` is likelier than ` his`, and no longer without the head "
            "that decided the chapter's.",
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
