"""Several servers under the same load, in turns: the same prompts, as many tokens, as ratios of one run.

    python -m benchmarks.serve_race ours=http://127.0.0.1:8000#gpt2 other=http://127.0.0.1:8001#gpt2 \\
        [--streams 1 16] [--requests 32] [--tokens 48] [--rounds 3] [--temperature 0] [--top-p 1] [--json]

Each is NAME=URL#MODEL and has to be running, at the same precision and with as many threads. In every round each of
them, one after the other, is asked the same requests by so many clients at once, each of which hears one stream after
another to its end; with several numbers of streams there is a race for each. What is not being asked idles. Greedy by
default, because then all have to write the same.
"""

import argparse
import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any, Self

import httpx
import numpy as np

from benchmarks.serve import PROMPTS, Heard, listen, percentiles
from benchmarks.timing import environment, report


@dataclass(frozen=True)
class Server:
    """One that takes part."""

    name: str
    url: str
    model: str

    @classmethod
    def parse(cls, given: str) -> Self:
        name, _, address = given.partition("=")
        url, _, model = address.partition("#")
        if not (name and url and model):
            raise SystemExit(f"{given!r} is not NAME=URL#MODEL")
        return cls(name, url, model)


@dataclass(frozen=True)
class Turn:
    """What one server did with all requests."""

    tokens: int
    seconds: float
    heard: list[Heard]

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.seconds


def bodies(args: argparse.Namespace, round_number: int) -> list[dict[str, Any]]:
    """What everybody is asked in a round; no prompt begins as another does for long."""
    chance = random.Random(round_number)
    words = ["king", "frog", "dark", "night", "owl", "said", "once", "upon", "time", "who", "are", "you", "and", "the"]
    return [
        {
            "prompt": " ".join([str(chance.randrange(1000)), chance.choice(PROMPTS), *chance.choices(words, k=length)]),
            "max_tokens": args.tokens,
            "seed": chance.randrange(1 << 30),
            "temperature": args.temperature,
            "top_p": args.top_p,
        }
        for length in (chance.randrange(4, 100) for _ in range(args.requests))
    ]


async def turn(server: Server, asked: list[dict[str, Any]], streams: int) -> Turn:
    """Ask one server everything."""
    todo = [Heard(body | {"model": server.model}) for body in asked]
    waiting = list(reversed(todo))
    limits = httpx.Limits(max_connections=None)

    async def listener(client: httpx.AsyncClient) -> None:
        while waiting:
            await listen(client, waiting.pop(), None)

    async with httpx.AsyncClient(base_url=server.url, timeout=600, limits=limits, trust_env=False) as client:
        began = time.perf_counter()
        await asyncio.gather(*(listener(client) for _ in range(streams)))
        seconds = time.perf_counter() - began
    # A stream that ended by its length has as many tokens as were asked for, in however many pieces they came.
    tokens = sum(one.body["max_tokens"] if one.finish_reason == "length" else one.tokens for one in todo)
    return Turn(tokens, seconds, todo)


def race(servers: list[Server], streams: int, args: argparse.Namespace) -> dict[str, Any]:
    """Rounds of turns, and what came of them."""
    turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
    for server in servers:
        asyncio.run(turn(server, bodies(args, -1)[: streams // 4 + 1], streams))  # to warm up
    for number in range(args.rounds):
        for server in servers if number % 2 == 0 else reversed(servers):
            turns[server.name].append(asyncio.run(turn(server, bodies(args, number), streams)))
    first = turns[servers[0].name]
    texts = [one.text for each in first for one in each.heard]
    found = {}
    for server in servers:
        mine = turns[server.name]
        heard = [one for each in mine for one in each.heard]
        ratios = [other.tokens_per_s / one.tokens_per_s for one, other in zip(first, mine, strict=True)]
        found[server.name] = {
            "tokens_per_s": round(float(np.median([each.tokens_per_s for each in mine])), 1),
            "ratio": round(float(np.median(ratios)), 3),
            "first_token": percentiles([one.first_s for one in heard if one.first_s is not None]),
            "next_token": percentiles([gap for one in heard for gap in one.gaps_s]),
            "finished": sum(one.finished for one in heard),
            "same_text": sum(one.text == text for one, text in zip(heard, texts, strict=True)),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="+", type=Server.parse, metavar="NAME=URL#MODEL")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--temperature", type=float, default=0)
    parser.add_argument("--top-p", type=float, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    asked = {name: getattr(args, name) for name in ("requests", "tokens", "rounds", "temperature", "top_p")}
    races = [{"streams": streams, "servers": race(args.servers, streams, args)} for streams in args.streams]
    lines = [line for each in races for line in told(each)]
    report({"environment": environment(), **asked, "races": races}, lines, args.json)


def told(race: dict[str, Any]) -> list[str]:
    """What came of a race, for people."""
    lines = [f"streams: {race['streams']}"]
    for name, result in race["servers"].items():
        lines += [f"  {name}", *(f"{what:>18}  {value}" for what, value in result.items())]
    return lines


if __name__ == "__main__":
    main()
