"""A server under load: many streams at once, clients that leave, and what each of them waits for.

    python -m benchmarks.serve [--url URL] [--model NAME] [--streams 64] [--seconds 120] [--leave 0.2] [--json]

Without a URL, `cutaway serve` is started and stopped in the end. Some clients leave in the middle,
by chance. Every text that was heard to its end is asked for again, alone, and must be the same; the server's memory is
read before and after. Any server with OpenAI's `/v1/completions` can be measured by its URL.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

PROMPTS = ["Once upon a time", "The king of the frogs", "It was a dark night, and", "“Who are you?” said the owl."]


@dataclass
class Heard:
    """What one client heard."""

    body: dict[str, Any]
    text: str = ""
    tokens: int = 0
    first_s: float | None = None
    gaps_s: list[float] = field(default_factory=list)
    finished: bool = False
    finish_reason: str | None = None


async def listen(client: httpx.AsyncClient, heard: Heard, leave_after: int | None) -> None:
    """Ask, and hear the stream to its end or until it is time to leave."""
    began = latest = time.perf_counter()
    async with client.stream("POST", "/v1/completions", json=heard.body | {"stream": True}) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if not line.startswith("data: "):
                continue
            if line == "data: [DONE]":
                heard.finished = True
                return
            now = time.perf_counter()
            [choice] = json.loads(line.removeprefix("data: "))["choices"]
            heard.finish_reason = choice.get("finish_reason")
            if not choice["text"]:  # the end alone, as others than ours send it
                continue
            heard.text += choice["text"]
            heard.tokens += 1
            if heard.first_s is None:
                heard.first_s = now - began
            else:
                heard.gaps_s.append(now - latest)
            latest = now
            if leave_after is not None and heard.tokens >= leave_after:
                return
        heard.finished = heard.finish_reason is not None  # of others than ours, which do not say [DONE]


async def stream_on(
    client: httpx.AsyncClient, args: argparse.Namespace, seed: int, until: float, done: list[Heard]
) -> None:
    """One stream after another, until the time is over."""
    chance = random.Random(seed)
    while time.perf_counter() < until:
        body = {
            "model": args.model,
            "prompt": chance.choice(PROMPTS) + " and" * chance.randrange(0, 40),
            "max_tokens": chance.randrange(8, 129),
            "seed": chance.randrange(1 << 30),
            "temperature": 0.8,
        }
        heard = Heard(body)
        done.append(heard)
        await listen(client, heard, chance.randrange(1, 60) if chance.random() < args.leave else None)


async def load(url: str, args: argparse.Namespace) -> tuple[list[Heard], float, int]:
    """All streams together; what was heard, in how many seconds, and how many texts differ from the same alone."""
    limits = httpx.Limits(max_connections=None)
    done: list[Heard] = []
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False) as client:
        began = time.perf_counter()
        streams = [stream_on(client, args, seed, began + args.seconds, done) for seed in range(args.streams)]
        await asyncio.gather(*streams)
        seconds = time.perf_counter() - began
        finished = [heard for heard in done if heard.finished]
        again = random.Random(0).sample(finished, min(args.again, len(finished)))
        different = 0
        for heard in again:
            answer = await client.post("/v1/completions", json=heard.body)
            different += answer.json()["choices"][0]["text"] != heard.text
    return done, seconds, different


def percentiles(values: list[float]) -> dict[str, float]:
    """Milliseconds that half of them and all but a hundredth undercut."""
    return {f"p{share}_ms": round(1e3 * float(np.percentile(values, share)), 1) for share in (50, 99)}


def memory_mb(pid: int) -> float:
    """What a process holds now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1e3
    raise RuntimeError(f"process {pid} does not tell its memory")


@contextmanager
def server(args: argparse.Namespace) -> Iterator[tuple[str, int | None]]:
    """The address of the server to be measured, and its process if it is ours."""
    if args.url:
        yield args.url, None
        return
    command = [sys.executable, "-m", "cutaway", "serve", "--port", "0", "--max-running", str(args.running)]
    command += ["--model", args.source or args.model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1].removesuffix("/v1")
            while httpx.get(f"{url}/health", trust_env=False).status_code != 200:
                time.sleep(0.1)
            yield url, process.pid
        finally:
            process.terminate()


def options(description: str | None) -> argparse.ArgumentParser:
    """What `server` has to be told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url")
    parser.add_argument("--model", default="fable")
    parser.add_argument("--source", help="where the model comes from, if not its name")
    parser.add_argument("--running", type=int, default=64)
    return parser


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--leave", type=float, default=0.2)
    parser.add_argument("--again", type=int, default=100, help="finished texts that are asked for again, alone")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with server(args) as (url, pid):
        asyncio.run(load(url, argparse.Namespace(**vars(args) | {"seconds": 3, "again": 0})))  # to warm up
        before = memory_mb(pid) if pid else None
        done, seconds, different = asyncio.run(load(url, args))
        after = memory_mb(pid) if pid else None
    finished = [heard for heard in done if heard.finished]
    result = {
        "streams": args.streams,
        "requests": len(done),
        "finished": len(finished),
        "left": len(done) - len(finished),
        "tokens_per_s": round(sum(heard.tokens for heard in done) / seconds, 1),
        "first_token": percentiles([heard.first_s for heard in done if heard.first_s is not None]),
        "next_token": percentiles([gap for heard in done for gap in heard.gaps_s]),
        "asked_again": min(args.again, len(finished)),
        "different": different,
        "memory_before_mb": before,
        "memory_after_mb": after,
    }
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:>18}  {value}")


if __name__ == "__main__":
    main()
