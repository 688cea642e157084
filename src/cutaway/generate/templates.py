"""Prompts that turn a language model to a task: show it examples, or begin the answer.

Source: Radford et al. 2019, sections 3.6 (summaries by "TL;DR:") and 3.8 (question answering).
"""

from collections.abc import Sequence

from cutaway.errors import GenerationError

SEPARATOR = "###"
"""Stands between the examples; give it as a stop text."""


def few_shot(
    examples: Sequence[tuple[str, str]],
    query: str,
    *,
    task: str = "",
    input_label: str = "Text",
    output_label: str = "Label",
) -> str:
    """Examples of input and output, then an input whose output the model is to write.

    Raises: GenerationError when there is no example.
    """
    if not examples:
        raise GenerationError("a few-shot prompt needs at least one example; give pairs of input and output")
    shown = [f"{input_label}: {given}\n{output_label}: {wanted}\n{SEPARATOR}\n" for given, wanted in examples]
    return f"{heading(task)}{''.join(shown)}{input_label}: {query}\n{output_label}:"


def question_answering(
    context: str, question: str, examples: Sequence[tuple[str, str, str]] = (), *, task: str = "Question/Answering"
) -> str:
    """A passage and a question about it, after worked examples of (passage, question, answer) if there are any."""
    shown = [f"C: {passage}\nQ: {asked}\nA: {answer}\n{SEPARATOR}\n" for passage, asked, answer in examples]
    return f"{heading(task)}{''.join(shown)}C: {context}\nQ: {question}\nA:"


def tldr(text: str) -> str:
    """A text and the words after which people on the web sum up."""
    return f"{text.rstrip()}\nTL;DR:"


def heading(task: str) -> str:
    """The line that names the task, if there is one."""
    return f"{task}\n" if task else ""
