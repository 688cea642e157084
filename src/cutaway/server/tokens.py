"""`/tokenize`, `/detokenize` and `/tokenizer_info`: what clients that count in tokens ask, as of vLLM."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from cutaway.server.asked import service_of
from cutaway.server.completion_request import Ids
from cutaway.server.error_schema import ERRORS

router = APIRouter(tags=["tokens"])


class TokenizeRequest(BaseModel):
    """A text to cut into tokens."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = None
    prompt: str
    special: bool | None = None
    """Take `<|endoftext|>` in the text for the special token. Not unless asked; but a client that speaks of
    `add_special_tokens` knows it so from its own tokenizer, and expects it."""
    add_special_tokens: bool | None = None
    """GPT-2 adds none before or after a text, whatever is said here."""
    return_token_strs: bool = False
    """Return the tokens' printable forms too."""


class Tokens(BaseModel):
    """The tokens of a text."""

    tokens: list[int]
    count: int
    max_model_len: int
    token_strs: list[str] | None = None


class DetokenizeRequest(BaseModel):
    """Ids to join to a text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = None
    tokens: Annotated[Ids, Field(max_length=1 << 20)]
    return_token_strs: bool = False
    """Return the tokens' printable forms too."""


class Text(BaseModel):
    """The text of some ids."""

    prompt: str
    token_strs: list[str] | None = None


@router.post("/tokenize", responses=ERRORS)
async def tokenize(body: TokenizeRequest, request: Request) -> Tokens:
    """Cut a text into tokens."""
    model = service_of(request).model(body.model)
    tokenizer = model.generator.tokenizer
    special = body.add_special_tokens is not None if body.special is None else body.special
    allowed: Any = "all" if special else ()
    ids = await asyncio.to_thread(tokenizer.encode, body.prompt, allowed_special=allowed)
    pieces = tokenizer.pieces(ids) if body.return_token_strs else None
    return Tokens(tokens=ids, count=len(ids), max_model_len=model.context, token_strs=pieces)


@router.post("/detokenize", responses=ERRORS, response_model_exclude_none=True)
async def detokenize(body: DetokenizeRequest, request: Request) -> Text:
    """Join ids to a text."""
    tokenizer = service_of(request).model(body.model).generator.tokenizer
    text = await asyncio.to_thread(tokenizer.decode, body.tokens)
    return Text(prompt=text, token_strs=tokenizer.pieces(body.tokens) if body.return_token_strs else None)


@router.get("/tokenizer_info", responses=ERRORS)
async def tokenizer_info(request: Request, model: str | None = None) -> dict[str, Any]:
    """What `transformers` would call the model's tokenizer, and its special token."""
    served = service_of(request).model(model)
    tokenizer = served.generator.tokenizer
    end = None if tokenizer.eot is None else tokenizer.decode([tokenizer.eot])
    names: dict[str, Any] = dict.fromkeys(("bos_token", "eos_token", "unk_token"), end)
    return {"tokenizer_class": "GPT2Tokenizer", "model_max_length": served.context, "pad_token": None} | names
