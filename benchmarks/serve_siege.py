"""What a server does that is besieged: it must refuse, stay small, and go on answering.

    python -m benchmarks.serve_siege [--url URL --model NAME] [--queue 10000] [--body-mb 100] [--slow 200]

A crowd asks at once, more than may wait; giants are sent, announced and not; slow clients open connections and dribble.
All the while somebody asks for a short text every second and must get the same each time.
"""

import argparse
import asyncio
import contextlib
import json
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.serve import memory_mb, options, server

WITNESS = {"prompt": "Once upon a time", "max_tokens": 4, "seed": 1}


async def crowd(url: str, model: str, count: int) -> dict[str, Any]:
    """So many connections at once, each with a request; how they were answered."""
    where = urlsplit(url)
    body = json.dumps({"model": model, "prompt": "The king", "max_tokens": 2})
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    request = f"{head}Content-Type: application/json\r\n\r\n{body}".encode()

    async def ask() -> str:
        try:
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(request)
            answer = await reader.read()
            writer.close()
        except OSError as error:
            return type(error).__name__
        return answer.split(b" ", 2)[1].decode() if answer else "closed"

    began = time.perf_counter()
    statuses = Counter(await asyncio.gather(*(ask() for _ in range(count))))
    return dict(statuses) | {"seconds": round(time.perf_counter() - began, 1)}


async def giant(url: str, megabytes: int, *, announced: bool) -> str:
    """The status of a giant's refusal, or how it was cut off."""

    async def parts() -> Any:
        for _ in range(megabytes):
            yield b"x" * 1_000_000

    headers = {"content-length": str(megabytes * 1_000_000)} if announced else {}
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        try:
            return str((await client.post("/v1/completions", content=parts(), headers=headers)).status_code)
        except httpx.HTTPError as error:
            return type(error).__name__


async def dribble(url: str, head: bool) -> str:
    """How a client is answered that sends a byte a second, of the head or of the body."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\n")
    writer.write(b"X-A: " if head else b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    answer = asyncio.ensure_future(reader.read(200))
    with contextlib.suppress(ConnectionError):
        for _ in range(60):
            done, _waiting = await asyncio.wait({answer}, timeout=1)
            if done:
                break
            writer.write(b" ")
            await writer.drain()
    writer.close()
    if not answer.done():
        answer.cancel()
        return "let be for a minute"
    try:
        said = answer.result().decode(errors="replace").split(" ")
    except ConnectionError:
        return "closed"
    return said[1] if len(said) > 1 else "closed"


async def witness(url: str, model: str, over: asyncio.Event) -> dict[str, Any]:
    """Somebody ordinary, who asks every second."""
    texts, refused, longest = set(), 0, 0.0
    async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as client:
        while not over.is_set():
            began = time.perf_counter()
            answer = await client.post("/v1/completions", json=WITNESS | {"model": model})
            longest = max(longest, time.perf_counter() - began)
            if answer.status_code == 200:
                texts.add(answer.json()["choices"][0]["text"])
            else:
                refused += 1
            await asyncio.sleep(1)
    return {"texts": len(texts), "refused": refused, "longest_s": round(longest, 2)}


async def siege(url: str, args: argparse.Namespace) -> dict[str, Any]:
    """Everything, one after another, before a witness."""
    over = asyncio.Event()
    watching = asyncio.ensure_future(witness(url, args.model, over))
    found: dict[str, Any] = {"crowd": await crowd(url, args.model, args.queue)}
    found["giants"] = [await giant(url, args.body_mb, announced=announced) for announced in (True, False)]
    began = time.perf_counter()
    slow = await asyncio.gather(*(dribble(url, head=number % 2 == 0) for number in range(args.slow)))
    found["slow"] = dict(Counter(slow)) | {"seconds": round(time.perf_counter() - began, 1)}
    over.set()
    return found | {"witness": await watching}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--queue", type=int, default=10_000)
    parser.add_argument("--body-mb", type=int, default=100)
    parser.add_argument("--slow", type=int, default=200)
    args = parser.parse_args()
    with server(args) as (url, pid):
        asyncio.run(crowd(url, args.model, 200))  # to warm up
        before = memory_mb(pid) if pid else None
        found = asyncio.run(siege(url, args))
        found |= {"memory_before_mb": before, "memory_after_mb": memory_mb(pid) if pid else None}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
