"""The list of what can be evaluated; nothing is imported before it is asked for."""

import cyclopts
from cyclopts import Parameter

COMMANDS = {
    "perplexity": ("perplexity:perplexity", "Measure how well a model predicts texts of any length."),
    "paper": ("paper:paper", "Measure the paper's test sets, next to its own figures."),
    "choices": ("choices:choices", "Answer multiple-choice sets: HellaSwag, PIQA, ARC, BLiMP and more."),
    "compare": ("compare:compare", "Compare two evaluations item by item, with the error of the difference."),
}

app = cyclopts.App(
    name="eval",
    help="Measure how good a model is: its perplexity, the paper's test sets, multiple choice.",
    help_format="plaintext",
    default_parameter=Parameter(negative=""),
)
for place, (name, (home, summary)) in enumerate(COMMANDS.items()):
    app.command(f"cutaway.cli.eval.{home}", name=name, help=summary, sort_key=place)
