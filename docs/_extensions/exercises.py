"""The directive `exercises`: the questions that `cutaway guide check` asks, so that page and program cannot differ."""

from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from cutaway.guide import chapter


class Exercises(SphinxDirective):
    """Lists the exercises of the chapter whose number is its argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The questions, and the command that checks the answers."""
        number = int(self.arguments[0])
        questions = nodes.enumerated_list(enumtype="loweralpha", suffix=")")
        for exercise in chapter(number).exercises:
            paragraph, _ = self.parse_inline(exercise.question)
            questions += nodes.list_item("", nodes.paragraph("", "", *paragraph))
        command = f"$ cutaway guide check {number}"
        return [questions, nodes.literal_block(command, command, language="console")]


def setup(app: Any) -> dict[str, Any]:
    """Offer the directive `exercises`."""
    app.add_directive("exercises", Exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
