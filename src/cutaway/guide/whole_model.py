"""Exercises of chapter 8: the whole model."""

import math

from cutaway.anatomy import anatomy
from cutaway.config import PRESETS, GPTConfig
from cutaway.errors import ConfigError
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check, number_in

LOW, HIGH, LAYERS = 900_000, 1_100_000, 4


def a_million(answer: str) -> Verdict:
    """Whether a model of that shape has about a million parameters."""
    numbers = [number_in(part) for part in answer.split()]
    if len(numbers) != 3 or not all(number is not None and number.is_integer() for number in numbers):
        return Verdict(False, f"{answer!r} is not three whole numbers: layers, heads, channels")
    n_layer, n_head, n_embd = (int(number) for number in numbers if number is not None)
    try:
        config = GPTConfig(vocab_size=1024, block_size=256, n_layer=n_layer, n_head=n_head, n_embd=n_embd)
    except ConfigError as error:
        return Verdict(False, str(error))
    count = anatomy(config).parameters
    return Verdict(LOW <= count <= HIGH and n_layer >= LAYERS, f"{count:,} parameters in {n_layer} layers")


def largest_table_share(answer: str) -> Verdict:
    """Whether `wte` makes up the smallest share in that model."""

    def share(name: str) -> float:
        config = GPTConfig.preset(name)
        return config.vocab_size * config.n_embd / anatomy(config).parameters

    name = answer.strip()
    if name not in PRESETS:
        return Verdict(False, f"{name!r} is none of {', '.join(PRESETS)}")
    return Verdict(share(name) == max(map(share, PRESETS)), f"its table of tokens is {share(name):.0%}")


CHAPTER = Chapter(
    title="The whole model",
    exercises=(
        Exercise(
            question="How many parameters does one block of `gpt2-xl` have (1,600 channels)?",
            hint="12 C squared and 13 C",
            check=number_check(lambda: 12 * 1600 * 1600 + 13 * 1600, "parameters"),
        ),
        Exercise(
            question="In which of the five published models is the table of tokens the largest share of them all?",
            hint="few layers make the table weigh more",
            check=largest_table_share,
        ),
        Exercise(
            question="Give layers, heads and channels, with spaces between, of a model of 4 layers or more with 0.9 to "
            "1.1 million parameters, for 1,024 tokens and a context of 256.",
            hint="most are in the layers, about 12 C squared each; the heads must divide the channels",
            check=a_million,
        ),
        Exercise(
            question="What is the loss of an untrained model with 1,024 tokens, in nats? (To one decimal.)",
            hint="the natural logarithm of 1,024",
            check=number_check(lambda: math.log(1024), "nats", tolerance=0.06),
        ),
    ),
)
