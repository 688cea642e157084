"""Changes to a network as a client asks for them."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cutaway.errors import InspectionError
from cutaway.inspect import Edit, patch, scale, steer, trace
from cutaway.language_model import LanguageModel
from cutaway.server.inside.kept import Kept

MAX_EDITS = 256
EDITED: Kept[LanguageModel] = Kept()
"""What a change takes from another text is read once, however much is then asked of the changed network."""

Places: TypeAlias = Annotated[list[Annotated[int, Field(ge=0, le=1 << 20)]], Field(max_length=1 << 16)]


class AskedEdit(BaseModel):
    """One change, at a point such as `h.3.z` (what heads gathered) or `h.3.mlp_out`.

    `scale` multiplies what is there: 0 switches it off. `patch` puts in its place what is there when `text` is read.
    `steer` adds, where the stream enters a layer (`h.N.resid_pre`), by how much its mean differs between reading `text`
    and reading `away`.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    kind: Literal["scale", "patch", "steer"]
    name: Annotated[str, Field(max_length=40)]
    factor: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """What it is multiplied by; for `steer`, how strongly it is pushed."""
    heads: Places | None = None
    positions: Places | None = None
    text: Annotated[str, Field(max_length=20_000)] | None = None
    away: Annotated[str, Field(max_length=20_000)] | None = None

    @model_validator(mode="after")
    def _has_its_text(self) -> Self:
        if self.kind in ("patch", "steer") and not self.text:
            raise ValueError(f"{self.kind} takes something from another text; give it as text")
        return self


AskedEdits: TypeAlias = Annotated[list[AskedEdit], Field(max_length=MAX_EDITS)]


def with_edits(gpt: LanguageModel, asked: AskedEdits) -> LanguageModel:
    """The model with these changes made whenever it runs.

    Raises: InspectionError for a place that the model does not have.
    """
    if not asked:
        return gpt
    key = tuple(edit.model_dump_json() for edit in asked)
    return EDITED.get(gpt, key, lambda: gpt.edited(*(edit_of(gpt, edit) for edit in asked)))


def edit_of(gpt: LanguageModel, asked: AskedEdit) -> Edit:
    """A change as `inspect` makes it.

    Raises: InspectionError for a point that there is not.
    """
    if asked.kind == "scale":
        return scale(asked.name, asked.factor, heads=asked.heads, positions=asked.positions)
    assert asked.text is not None, "the schema asks for it"
    if asked.kind == "patch":
        return patch(trace(gpt, asked.text, asked.name), asked.name, heads=asked.heads, positions=asked.positions)
    layer = layer_entered(asked.name)
    push = trace(gpt, asked.text, asked.name)[asked.name].mean(0)
    if asked.away:
        push = push - trace(gpt, asked.away, asked.name)[asked.name].mean(0)
    return steer(layer, push, asked.factor, positions=asked.positions)


def layer_entered(name: str) -> int:
    """The layer that the stream enters at a point.

    Raises: InspectionError for any other point.
    """
    h, _, rest = name.partition(".")
    number, _, point = rest.partition(".")
    if h != "h" or point != "resid_pre" or not number.isdecimal():
        raise InspectionError(
            f"steering happens where the stream enters a layer, such as h.3.resid_pre, not at {name!r}"
        )
    return int(number)
