"""Exercises of chapter 7: the block."""

from functools import cache

from cutaway.guide.bundled import fable
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check

STORY = "Once upon a time there was a little fox who lived in the wood."


@cache
def bits_without() -> dict[int, float]:
    """How surprising the story is without each layer's MLP."""
    from cutaway.inspect import scale, surprise

    model = fable()
    return {
        layer: surprise(model.edited(scale(f"h.{layer}.mlp_out", 0)), STORY).mean_bits
        for layer in range(model.config.n_layer)
    }


def most_needed(answer: str) -> Verdict:
    """Whether that layer's MLP is the one without which the story surprises most."""
    found = bits_without()
    if answer.strip() not in map(str, found):
        return Verdict(False, f"{answer!r} is not a layer; they are 0 to {len(found) - 1}")
    layer = int(answer)
    return Verdict(found[layer] == max(found.values()), f"without it the story takes {found[layer]:.2f} bits a token")


def negative_gelu(answer: str) -> Verdict:
    """Whether the GELU is near its lowest value there."""
    import torch

    from cutaway.guide.exercise import number_in

    number = number_in(answer)
    if number is None:
        return Verdict(False, f"{answer!r} is not a number")
    x = torch.linspace(-4, 0, 4001)
    values = torch.nn.functional.gelu(x, approximate="tanh")
    here = torch.nn.functional.gelu(torch.tensor(number), approximate="tanh").item()
    return Verdict(abs(number - x[values.argmin()].item()) < 0.06, f"GELU({number:g}) = {here:.4f}")


CHAPTER = Chapter(
    title="The block",
    exercises=(
        Exercise(
            question="How many numbers do the two matrices of one MLP of GPT-2 hold (C = 768), without biases?",
            hint="C times 4C, twice",
            check=number_check(lambda: 8 * 768 * 768, "numbers"),
        ),
        Exercise(
            question="The GELU is below zero for negative numbers. Where is it lowest? (To one decimal.)",
            hint="torch.linspace(-4, 0, 401), the GELU of it, and argmin",
            check=negative_gelu,
        ),
        Exercise(
            question=f"Without which layer's MLP (0 to 3) is *{STORY}* most surprising?",
            hint="by layer, inspect.surprise(gpt.edited(inspect.scale(f'h.{layer}.mlp_out', 0)), story).mean_bits",
            check=most_needed,
        ),
    ),
)
