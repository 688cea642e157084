"""Exercises of chapter 5: attention."""

from functools import cache

from cutaway.guide.bundled import fable, name_of_head, probability
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check
from cutaway.inspect import ablate_heads, detect_heads

LOOKED = 0.6


def pairs() -> float:
    """How many scores a causal head of GPT-2 has for a full context."""
    return 1024 * 1025 / 2


@cache
def chances_without() -> dict[str, float]:
    """How likely ` his` is after the old man put on, without each head."""
    import torch

    model, found = fable(), {}
    for layer in range(model.config.n_layer):
        for head in range(model.config.n_head):
            edited = model.edited(ablate_heads(layer, head))
            with torch.no_grad():
                logits = edited.model(torch.tensor([model.ids("The old man put on")]))[0][0, -1]
            found[name_of_head(layer, head)] = logits.softmax(-1)[model.tokenizer.id_of("Ġhis")].item()
    return found


def carries_the_man(answer: str) -> Verdict:
    """Whether that head is the one without which ` his` loses most."""
    found = chances_without()
    head = answer.strip()
    if head not in found:
        return Verdict(False, f"{answer!r} is not a head; write the layer, a dot and the head, as 0.2")
    whole = probability("The old man put on", " his")
    remark = f"his falls from {whole:.0%} to {found[head]:.0%} without it"
    return Verdict(found[head] == min(found.values()), remark)


def previous(answer: str) -> Verdict:
    """Whether that head looks at the previous token most."""
    best = detect_heads(fable()).best("previous token", 1)[0]
    name = name_of_head(best["layer"], best["head"])
    return Verdict(answer.strip() == name, f"{answer.strip()} {'is' if answer.strip() == name else 'is not'} it")


CHAPTER = Chapter(
    title="Attention",
    exercises=(
        Exercise(
            question="How many pairs of places does one causal head look at in a text of 1,024 tokens, each place with "
            "itself included?",
            hint="1 + 2 + 3 + … + 1,024",
            check=number_check(pairs, "pairs"),
        ),
        Exercise(
            question="After *The old man put on*, without which head does ` his` lose most? (Layer and head, "
            "as `0.2`.)",
            hint="change the text in the loop of the chapter, and look for the lowest chance of his",
            check=carries_the_man,
        ),
        Exercise(
            question="Which head looks most at the token before, on random tokens? (As `0.2`.)",
            hint="inspect.detect_heads(gpt).best('previous token', 1)",
            check=previous,
        ),
    ),
)
