"""Trees of branches in bare numbers, and sums of products: the page's arithmetic, read by node."""

import json

import numpy as np
import pytest
import torch

from cutaway.inspect.weights import weight
from serving import tiny_language_model
from test_server_page import needs_node, run_module

pytestmark = needs_node

TEXT = "The fox met an owl"


def grown(seed: int, vocab_size: int = 50257) -> dict:
    """A tree as one makes it by branching here and there."""
    draw = np.random.default_rng(seed)
    trunk = {"parent": -1, "from": 0, "ids": draw.integers(0, vocab_size, draw.integers(1, 60)).tolist()}
    branches, lengths = [trunk], [len(trunk["ids"])]
    for _ in range(draw.integers(0, 9)):
        parent = int(draw.integers(len(branches)))
        place = int(draw.integers(branches[parent]["from"], lengths[parent]))
        ids = draw.integers(0, vocab_size, draw.integers(1, 40)).tolist()
        branches.append({"parent": parent, "from": place, "ids": ids})
        lengths.append(place + len(ids))
    given = int(draw.integers(1, lengths[0] + 1))
    return {"given": given, "current": int(draw.integers(len(branches))), "branches": branches}


@pytest.mark.parametrize("vocab_size", [2, 33, 8192, 50257, 1 << 31])
def test_a_tree_comes_back_from_its_letters(laid_out, vocab_size):
    sketches = [grown(seed, vocab_size) for seed in range(12)]
    script = (
        'import { pack, unpack, checked, treeOf, sketchOf } from "./sketch.js";'
        f"const config = {{ vocab_size: {vocab_size}, block_size: 1024 }};"
        f"console.log(JSON.stringify({json.dumps(sketches)}.map((one) => {{ const text = pack(one);"
        "const again = checked(unpack(text), config);"
        "const pieces = again.branches.flatMap(({ ids }) => ids.map(String));"
        "return [text, again, sketchOf(treeOf(again, pieces))]; })))"
    )
    for sketch, (text, unpacked, through_a_tree) in zip(sketches, run_module(laid_out, script), strict=True):
        assert unpacked == through_a_tree == sketch
        assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        numbers = 3 + sum(3 + len(branch["ids"]) for branch in sketch["branches"])
        largest = max(
            sketch["given"],
            len(sketch["branches"]),
            *(max(*b["ids"], b["from"], len(b["ids"])) for b in sketch["branches"]),
        )
        assert len(text) <= 1 + -(-numbers * max(largest, 1).bit_length() // 6)


TRUNK = {"parent": -1, "from": 0, "ids": [1, 2, 3]}
DAMAGED = {
    "no branches": {"given": 1, "current": 0, "branches": []},
    "no list": {"given": 1, "current": 0, "branches": None},
    "a hole": {"given": 1, "current": 0, "branches": [TRUNK, None]},
    "another branch is looked at": {"given": 1, "current": 1, "branches": [TRUNK]},
    "a longer prompt": {"given": 4, "current": 0, "branches": [TRUNK]},
    "no such token": {"given": 1, "current": 0, "branches": [TRUNK | {"ids": [50]}]},
    "half a token": {"given": 1, "current": 0, "branches": [TRUNK | {"ids": [0.5]}]},
    "an empty branch": {"given": 1, "current": 0, "branches": [TRUNK, {"parent": 0, "from": 1, "ids": []}]},
    "a branch of itself": {"given": 1, "current": 0, "branches": [TRUNK, {"parent": 1, "from": 1, "ids": [1]}]},
    "beyond its parent": {"given": 1, "current": 0, "branches": [TRUNK, {"parent": 0, "from": 3, "ids": [1]}]},
    "beyond the context": {"given": 1, "current": 0, "branches": [TRUNK | {"ids": [1] * 9}]},
    "too many": {"given": 1, "current": 0, "branches": [TRUNK] + [{"parent": 0, "from": 1, "ids": [1]}] * 1000},
}


def test_what_is_no_tree_is_told(laid_out):
    script = (
        'import { checked, unpack } from "./sketch.js";'
        "const told = (work) => { try { work(); } catch (e) { return `${e.name}: ${e.message}`; } return ''; };"
        "const config = { vocab_size: 50, block_size: 8 };"
        f"const trees = {json.dumps(list(DAMAGED.values()))}.map((one) => told(() => checked(one, config)));"
        "const texts = ['', '!', 'A', 'Baé', '-AAAA', 'P~~', 'BAA', 'P____']"
        ".map((one) => told(() => checked(unpack(one), config)));"
        "console.log(JSON.stringify([trees, texts]))"
    )
    trees, texts = run_module(laid_out, script)
    assert [said.startswith("Error: this is no tree of branches") for said in trees] == [True] * len(DAMAGED)
    assert all(said.startswith("Error: ") for said in texts)


def test_what_is_shown_adds_up_to_what_the_network_has(laid_out):
    """For every unit, every number that an MLP adds, every LayerNorm and logit; in float64 from float32 numbers."""
    gpt = tiny_language_model()
    seen = gpt.trace(TEXT)
    at, unit, token = len(seen.ids) - 1, 17, 40

    def here(name):
        return seen[name][at].tolist()

    def rows(name):
        return weight(gpt, name).tolist()

    sums = [
        (here("h.1.ln_2"), rows("h.1.mlp.c_fc.weight"), rows("h.1.mlp.c_fc.bias"), here("h.1.mlp_pre")),
        (here("h.1.mlp_post"), rows("h.1.mlp.c_proj.weight"), rows("h.1.mlp.c_proj.bias"), here("h.1.mlp_out")),
        (here("ln_f"), rows("wte.weight"), None, here("logits")),
    ]
    norms = [("resid_pre", "ln_1"), ("resid_mid", "ln_2")]
    streams = [here(f"h.1.{source}") for source, _ in norms] + [here("h.1.resid_post")]
    epsilon = gpt.config.layer_norm_epsilon
    adds = (seen["h.1.mlp_post"][at, unit] * weight(gpt, "h.1.mlp.c_proj.weight")[:, unit]).tolist()
    numbers = {
        "sums": [one[:3] for one in sums],
        "streams": streams,
        "before": here("h.1.mlp_pre"),
        "pushed": [adds, rows("ln_f.weight"), rows("wte.weight")[token]],
    }
    (laid_out / "numbers.json").write_text(json.dumps(numbers), encoding="utf-8")
    script = (
        'import { readFileSync } from "node:fs"; import { total } from "./products.js";'
        'import { momentsOf } from "./layer_norm.js"; import { gelu } from "./gelu_curve.js";'
        'import { effect } from "./mlp.js"; const floats = (numbers) => Float32Array.from(numbers);'
        'const { sums, streams, before, pushed } = JSON.parse(readFileSync("numbers.json"));'
        "const found = sums.map(([left, rows, starts]) =>"
        " rows.map((row, at) => total({ left: floats(left), right: floats(row), start: starts?.[at] })));"
        f"const norms = streams.map((one) => momentsOf(floats(one), {epsilon}));"
        "const [adds, scale, row] = pushed.map(floats);"
        "console.log(JSON.stringify([found, norms, before.map(gelu), effect(adds, norms[2].spread, scale, row)]))"
    )
    found, moments, bent, pushed = run_module(laid_out, script)
    for (*_, expected), numbers in zip(sums, found, strict=True):
        assert numbers == pytest.approx(expected, rel=2e-5, abs=2e-5)
    for (source, name), moment in zip(norms, moments, strict=False):
        stream, scale = np.array(here(f"h.1.{source}")), np.array(rows(f"h.1.{name}.weight"))
        values = (stream - moment["mean"]) / moment["spread"] * scale + np.array(rows(f"h.1.{name}.bias"))
        assert values == pytest.approx(here(f"h.1.{name}"), rel=2e-5, abs=2e-5)
    assert bent == pytest.approx(here("h.1.mlp_post"), rel=2e-5, abs=2e-5)
    # The last layer writes to nobody but the last LayerNorm, so with its spread held the effect is exact.
    with torch.no_grad():
        stream = seen["h.1.resid_post"][at].double()
        spread, added = moments[2]["spread"], torch.tensor(adds, dtype=torch.float64)
        scale, row = (
            torch.tensor(each, dtype=torch.float64) for each in (rows("ln_f.weight"), rows("wte.weight")[token])
        )
        with_it, without = (((x - x.mean()) / spread * scale) @ row for x in (stream, stream - added))
    assert pushed == pytest.approx((with_it - without).item(), rel=1e-4, abs=1e-6)
