"""The list of commands, and what every one of them shares: errors in one sentence, and the exit codes.

0 done · 1 a check failed · 2 a mistake in what was asked · 130 interrupted by Ctrl-C
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import cyclopts

from cutaway import __version__
from cutaway.cli import terminal
from cutaway.errors import CutawayError, did_you_mean

COMMANDS = {
    "generate": ("cutaway.cli.generate:generate", "Continue a text; without one, in conversation."),
    "tokenize": ("cutaway.cli.tokenize:tokenize", "Cut a text into tokens, or join ids to a text."),
    "next": ("cutaway.cli.next:next_tokens", "Show what the model expects along a text."),
    "info": ("cutaway.cli.info:info", "Show what a model consists of and what it costs."),
    "models": ("cutaway.cli.models:models", "List the models that are bundled, cached or downloadable."),
    "prepare": ("cutaway.cli.prepare:prepare_command", "Turn text into token shards to train on."),
    "data": ("cutaway.cli.data:app", "Look into prepared data, or check it."),
    "train": ("cutaway.cli.train:train", "Train a model, or go on training it."),
    "eval": ("cutaway.cli.eval.app:app", "Measure how good a model is: perplexity, the paper's sets, multiple choice."),
    "quantize": ("cutaway.cli.quantize:quantize", "Make a smaller, faster checkpoint, and say what it costs."),
    "export": ("cutaway.cli.export:export", "Write a model for other tools: a folder, GGUF or ONNX."),
    "inspect": ("cutaway.cli.inspect.app:app", "Look inside a model: attention, lens, heads, embeddings, weights."),
    "explain": ("cutaway.cli.explain:explain", "Walk through the network step by step for a text."),
    "samples": ("cutaway.cli.samples:samples", "Measure generated texts: repetition, variety, and what they copied."),
    "verify": ("cutaway.cli.verify:verify", "Check that a model is what it claims to be, and computed right."),
    "bench": ("cutaway.cli.bench:bench", "Measure a model's speed, or compare two measurements."),
    "serve": ("cutaway.cli.serve:serve", "Serve models over HTTP, as OpenAI's clients expect it."),
    "guide": ("cutaway.cli.guide:app", "Check the exercises of the guide."),
    "doctor": ("cutaway.cli.doctor:doctor", "Check this installation and machine."),
}
"""Where each command lives, as text: help must not import what only one of them needs."""

OK, MISTAKE, INTERRUPTED = 0, 2, 130


def build() -> cyclopts.App:
    """The command line, with no command imported yet."""
    app = cyclopts.App(
        name="cutaway",
        help="GPT-2 you can read, run, train and see through.",
        version=__version__,
        help_format="plaintext",
        # Without this, `--flag` would also bring a `--no-flag`.
        default_parameter=cyclopts.Parameter(negative=""),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (name, (home, summary)) in enumerate(COMMANDS.items()):
        app.command(home, name=name, help=summary, sort_key=place)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; the process's exit code.

    Mistakes become one sentence on stderr. Anything unforeseen is a bug, and keeps its traceback.
    """
    terminal.set_up()
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
        # Within reach of the handler below: a pipe that closed early is noticed only when text is flushed.
        sys.stdout.flush()
    except KeyboardInterrupt:
        terminal.stop()
        return INTERRUPTED
    except BrokenPipeError:
        terminal.abandon_output()
        return OK
    return code


def run(arguments: Sequence[str]) -> int:
    """Run a command and turn mistakes into a sentence and a 2."""
    try:
        result = build()(with_places(arguments), print_error=False, exit_on_error=False)
    except CutawayError as error:
        return mistake(str(error))
    except cyclopts.CycloptsError as error:
        return mistake(sentence(error))
    return result if isinstance(result, int) else OK


def with_places(arguments: Sequence[str]) -> list[str]:
    """The same, spelled out where a shorthand was used.

    For inspect, `-` and no path at all are written as `--json=-`, which its options mean by it. Elsewhere `--json`
    takes no path, and there it may not take one that was meant for the text.
    """
    if list(arguments[:1]) == ["eval"]:
        from cutaway.cli.eval.shorthand import spelled_out  # the names of many sets, for this command alone

        return ["eval", *spelled_out(arguments[1:])]
    if list(arguments[:1]) != ["inspect"]:
        return list(arguments)
    told: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument in ("--json", "--csv") and rest[:1] == ["-"]:
            argument = f"{argument}={rest.pop(0)}"
        elif argument == "--json" and not (rest and Path(rest[0]).suffix and " " not in rest[0]):
            argument = "--json=-"
        told.append(argument)
    return told


def mistake(message: str) -> int:
    """Say what was wrong, on stderr."""
    sys.stdout.flush()
    print(f"cutaway: error: {message}", file=sys.stderr)
    return MISTAKE


def sentence(error: cyclopts.CycloptsError) -> str:
    """A parse error in one line that names the way out."""
    if isinstance(error, cyclopts.UnknownCommandError):
        name = (error.unused_tokens or [""])[0]
        known = [command for command in error.app or () if not command.startswith("-")]
        return f"there is no command {name!r}; {did_you_mean(name, known)}"
    if isinstance(error, cyclopts.UnusedCliTokensError):
        extra = " ".join(error.unused_tokens or ())
        return f"{extra!r} is one argument too many; a text of several words goes in quotes"
    return " ".join(str(error).split()).rstrip(".")
