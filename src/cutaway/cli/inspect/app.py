"""The list of what can be inspected; nothing is imported before it is asked for."""

import cyclopts
from cyclopts import Parameter

COMMANDS = {
    "attention": "Show where each token looks: one head, all heads, or a film of a text being written.",
    "lens": "Show what the model would say if it stopped after each layer.",
    "attribution": "Take a logit apart: what each head, MLP and token added to it.",
    "heads": "Find heads that look at the token before, at the same token, or copy what followed it.",
    "embeddings": "Study the tables of tokens and positions.",
    "patch": "Carry activations from one text into another, place by place, and see which matter.",
    "surprise": "Colour a text by how surprising each token was.",
    "weights": "Show figures, histogram or singular values of the weights.",
    "compare": "Set two texts, two models, or the checkpoints of a run side by side.",
}

app = cyclopts.App(
    name="inspect",
    help="Look inside a model. Each command works on the bundled model with no argument at all.",
    help_format="plaintext",
    default_parameter=Parameter(negative=""),
)
for place, (name, summary) in enumerate(COMMANDS.items()):
    app.command(f"cutaway.cli.inspect.{name}:{name}", name=name, help=summary, sort_key=place)
