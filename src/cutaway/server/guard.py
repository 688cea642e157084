"""What stands before every route: a number for each request, the key, the size, the clock, and the log."""

import asyncio
import hmac
import logging
import re
import time
import uuid
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutaway.server.api_error import DENIED, ApiError, api_error
from cutaway.server.metrics import Metrics
from cutaway.server.settings import ServerSettings

log = logging.getLogger("cutaway.server")

OPEN_PATHS = frozenset({"/", "/health", "/version", "/docs", "/openapi.json"})
"""Paths that tell nothing worth a key; nor does what lies under `PAGE`."""
PAGE = "/page/"
SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,80}")


class Guard:
    """Lets requests through to the application, one by one, if they are let through at all.

    It reads a body whole before anything else sees it, so that neither size nor slowness reaches further.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(scope, send)
        try:
            self._check_key(scope["path"], visit.headers)
            body = await self._body(visit.headers, receive)
            await self._app(scope, replay(body, receive), visit.send)
        except ApiError as refusal:
            await refusal.response()(scope, receive, visit.send)
        except Exception as error:
            log.exception("unforeseen", extra={"request_id": visit.id})
            if visit.status is not None:  # the answer has begun and can only be cut off
                raise
            await api_error(error).response()(scope, receive, visit.send)
        finally:
            if visit.status is not None and visit.status >= 400:
                self._metrics.refused(visit.status)
            # A page that watches something asks every few seconds; that nothing has changed is not worth a line.
            log.log(logging.DEBUG if visit.status == 304 else logging.INFO, "request", extra=visit.facts())

    def _check_key(self, path: str, headers: Headers) -> None:
        """Refuse whoever shows no key, where one is needed. Every key is compared, and in constant time.

        Raises: ApiError.
        """
        if not self._settings.keys or path in OPEN_PATHS or path.startswith(PAGE):
            return
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        secret = shown.strip().encode()
        matches = [hmac.compare_digest(secret, key.encode()) for key in self._settings.keys]
        if scheme.lower() != "bearer" or not any(matches):
            raise ApiError(
                401,
                "this server wants a key that it knows; send it as 'Authorization: Bearer …'",
                kind=DENIED,
                code="invalid_api_key",
            )

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        """The whole body, if it comes in time and is not too large.

        Raises: ApiError.
        """
        limit = self._settings.max_body_bytes
        if (length := headers.get("content-length", "0")).isdigit() and int(length) > limit:
            raise too_large(limit)
        try:
            async with asyncio.timeout(self._settings.body_time_s):
                return await gather(receive, limit)
        except TimeoutError:
            raise ApiError(
                408, f"the request did not arrive within {self._settings.body_time_s:g} s; send it faster"
            ) from None


class Visit:
    """One request: its number, what it asks, and what it was answered."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.headers = Headers(scope=scope)
        named = self.headers.get("x-request-id", "")
        self.id = named if SANE_ID.fullmatch(named) else uuid.uuid4().hex
        self.status: int | None = None
        self._scope, self._send, self._began = scope, send, time.monotonic()
        scope.setdefault("state", {})["request_id"] = self.id

    async def send(self, message: Message) -> None:
        """Pass on what the application answers, with the request's number on it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["x-request-id"] = self.id
        await self._send(message)

    def facts(self) -> dict[str, Any]:
        """What is logged: neither text nor key."""
        facts: dict[str, Any] = {"request_id": self.id, "method": self._scope["method"], "path": self._scope["path"]}
        counts: Iterable[tuple[str, Any]] = self._scope["state"].get("counts", {}).items()
        return facts | {"status": self.status, "seconds": round(time.monotonic() - self._began, 4)} | dict(counts)


async def gather(receive: Receive, limit: int) -> bytes:
    """The parts of a body, put together.

    Raises: ApiError when they are too much, or the client has gone.
    """
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(400, "the client left before its request was complete", code="disconnected")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def too_large(limit: int) -> ApiError:
    """The refusal of a giant."""
    return ApiError(413, f"the body is larger than {limit:,} bytes; send less at once", code="body_too_large")


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body at once, and then whatever comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message
