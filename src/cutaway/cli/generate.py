"""`cutaway generate`: continue a text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cutaway.cli import conversation, loading, source_text, terminal, writing
from cutaway.cli.decoding_options import SamplingOptions, SearchOptions, refuse_contradictions
from cutaway.cli.options import OUTPUT, Flag, ModelOptions
from cutaway.cli.speculation_options import SpeculationOptions
from cutaway.errors import ConfigError


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class GenerateOutput:
    """Where the prompt comes from, and what is shown."""

    file: Path | None = None
    """Read the prompt from a file; its final line end is dropped."""
    special: Flag = False
    """Take <|endoftext|> in the prompt for the special token, not for ordinary text."""
    json: Flag = False
    """Print prompt, tokens, log-probabilities and how each sample ended, as JSON."""
    verbose: Flag = False
    """Say on stderr how fast it was, how many guesses came true, and the seed."""


def generate(
    prompt: Annotated[str | None, Parameter(group=OUTPUT, help="The text to continue, in quotes.")] = None,
    /,
    *,
    model: ModelOptions | None = None,
    sampling: SamplingOptions | None = None,
    search: SearchOptions | None = None,
    speculation: SpeculationOptions | None = None,
    output: GenerateOutput | None = None,
) -> None:
    """Continue a text, and show it as it is written.

    Without a prompt, it is read from a pipe, or asked for in conversation.
    """
    model, output = model or ModelOptions(), output or GenerateOutput()
    # Everything that can be wrong is looked at before the model is loaded, which takes seconds.
    decoding = prepare(sampling or SamplingOptions(), search or SearchOptions())
    speculation = speculation or SpeculationOptions()
    speculation.refuse_contradictions(decoding)
    text = source_text.read_text(prompt, output.file)
    if text is None and output.json:
        raise ConfigError("--json needs a prompt; give one as an argument, with --file, or through a pipe")
    if text is not None and prompt is None:
        text = source_text.without_final_newline(text)

    gpt = loading.load(model) if decoding.searches else loading.load_generator(model)
    ahead = speculation.speculation(gpt, decoding)
    writer = writing.Writer(gpt, decoding, ahead, special=output.special, verbose=output.verbose)
    if text is None:
        conversation.converse(writer)
    elif output.json:
        terminal.print_json(writer.generation(text).to_dict())
    else:
        writer.write(text)


def prepare(sampling: SamplingOptions, search: SearchOptions) -> writing.Decoding:
    """The checked parameters.

    Raises: ConfigError for options that exclude each other; GenerationError for an impossible value.
    """
    refuse_contradictions(sampling, search)
    contrastive = search.contrastive_params(sampling.top_k)
    return writing.Decoding(params=sampling.params(), beams=search.beam_params(), contrastive=contrastive)
