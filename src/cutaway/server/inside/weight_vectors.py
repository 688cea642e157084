"""`/inside/weights`: single rows and columns of a model's weights, for whoever works a number out by hand."""

import re
import tempfile
from pathlib import Path
from typing import Annotated

import torch
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from torch import Tensor

from cutaway.errors import InspectionError
from cutaway.inspect.weights import weight
from cutaway.language_model import LanguageModel
from cutaway.server.asked import service_of
from cutaway.server.error_schema import ERRORS
from cutaway.server.inside.routes import FILE
from cutaway.weights.safetensors_file import write_safetensors

router = APIRouter(prefix="/inside", tags=["inside"])

NAME, PLACE = "[A-Za-z_][A-Za-z0-9_.]*", "[0-9]{1,9}"
ASKED = re.compile(rf"(?P<name>{NAME})(?:\[(?P<row>{PLACE})\]|\[:,(?P<column>{PLACE})\])?")
LENGTHS = re.compile(rf"\|(?P<name>{NAME})\[:,\*\]\|")
WRITTEN = rf"^({NAME}(\[(:,)?{PLACE}\])?|\|{NAME}\[:,\*\]\|)$"
"""Both in one, for the OpenAPI document; what does not match it is told why by us."""
EXAMPLES = ["h.0.ln_1.bias", "h.0.mlp.c_fc.weight[17]", "h.0.mlp.c_proj.weight[:,17]", "|h.0.mlp.c_proj.weight[:,*]|"]
MAX_VECTORS = 256

Written = Annotated[str, Field(max_length=80, json_schema_extra={"pattern": WRITTEN, "examples": [*EXAMPLES]})]


class VectorsRequest(BaseModel):
    """Vectors, as one would write them.

    `h.0.ln_1.bias` is one already, `h.0.mlp.c_fc.weight[17]` a row, `h.0.mlp.c_proj.weight[:,17]` a column, and
    `|h.0.mlp.c_proj.weight[:,*]|` says how long each column is. Weights have the checkpoint's names; those of linear
    maps are (out, in).
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = None
    vectors: Annotated[list[Written], Field(min_length=1, max_length=MAX_VECTORS, examples=[EXAMPLES])]


@router.post("/weights", responses=ERRORS | FILE, response_class=Response)
async def read_weights(body: VectorsRequest, request: Request) -> Response:
    """Rows and columns of weights, as a safetensors file in which each has the name that it was asked by."""
    served = service_of(request).model(body.model)
    content = await served.opened.ask(lambda gpt: file_of(gpt, body.vectors))
    return Response(content, media_type="application/octet-stream")


def file_of(gpt: LanguageModel, asked: list[str]) -> bytes:
    """The vectors in float32, as a file's bytes.

    Raises: InspectionError for one that there is not.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        # Cloned, for a row is a view of its matrix, which the format forbids.
        write_safetensors({name: vector(gpt, name).clone().contiguous() for name in asked}, path)
        return path.read_bytes()


def vector(gpt: LanguageModel, asked: str) -> Tensor:
    """One row, one column, the lengths of all columns, or a weight that is a vector already.

    Raises: InspectionError for a name that means nothing, a place outside, or a whole matrix.
    """
    if lengths := LENGTHS.fullmatch(asked):
        each: Tensor = torch.linalg.vector_norm(matrix(gpt, lengths["name"]), dim=0)
        return each
    found = ASKED.fullmatch(asked)
    if not found:
        raise InspectionError(f"{asked!r} names no vector; write name, name[row], name[:,column] or |name[:,*]|")
    name, row, column = found.groups()
    if row is None and column is None:
        whole = weight(gpt, name)
        if whole.ndim != 1:
            raise InspectionError(f"{name} has shape {tuple(whole.shape)}; ask for a row of it, such as {name}[0]")
        return whole
    axis, place = (0, int(row)) if column is None else (1, int(column))
    whole = matrix(gpt, name)
    if place >= whole.shape[axis]:
        kind = ("row", "column")[axis]
        raise InspectionError(f"{name} has no {kind} {place:,}; they are 0 to {whole.shape[axis] - 1:,}")
    return whole.select(axis, place)


def matrix(gpt: LanguageModel, name: str) -> Tensor:
    """A weight of two dimensions.

    Raises: InspectionError for one of another number, or a name that there is not.
    """
    found = weight(gpt, name)
    if found.ndim != 2:
        raise InspectionError(f"{name} has shape {tuple(found.shape)} and neither rows nor columns; ask for {name}")
    return found
