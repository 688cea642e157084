"""The page's files: what is served, under which policy, and that nothing in them leads elsewhere."""

import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from cutaway.sampling import SamplingParams
from cutaway.sampling.processors import log_softmax, truncate
from cutaway.server.page_files import files
from serving import client_of, refusal, served

SCRIPTS = sorted(name for name in files() if name.endswith(".js"))
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node reads the modules and is not installed")


def test_the_page_is_at_the_root(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for kind, name in re.findall(r'(?:src|href)="(/page/([^"]+))"', answer.text):
        assert client.get(kind).status_code == 200, name


@pytest.mark.parametrize("name", sorted(files()))
def test_every_file_is_served_as_what_it_is(client, name):
    answer = client.get(f"/page/{name}")
    kinds = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}
    assert answer.content == files()[name]
    assert answer.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_what_comes_from_the_server_may_run_or_be_fetched(client):
    policy = client.get("/").headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert rules.pop("frame-ancestors") == "'none'"
    assert rules == dict.fromkeys(["script-src", "style-src", "img-src", "connect-src"], "'self'")


@pytest.mark.parametrize("name", sorted(files()))
def test_no_file_leads_elsewhere(name):
    text = files()[name].decode()
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\beval\(|new Function|innerHTML|\sstyle=\"(?!image)|\son\w+=\"", text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_module_is_checked_and_finds_what_it_imports(name):
    source = files()[name].decode()
    assert source.startswith("// @ts-check\n")
    folder = "views/" if name.startswith("views/") else ""
    for needed in re.findall(r'^(?:import|export) .*?from "([^"]+)";$', source, re.MULTILINE | re.DOTALL):
        assert needed.startswith("./")
        assert folder + needed.removeprefix("./") in files()


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_module_imports_is_exported(name):
    source = files()[name].decode()
    folder = "views/" if name.startswith("views/") else ""
    for names, needed in re.findall(r'^import \{([^}]+)\} from "\./([^"]+)";$', source, re.MULTILINE):
        exporting = files()[folder + needed].decode()
        exported = set(re.findall(r"^export (?:async )?(?:function\*?|class|const) (\w+)", exporting, re.MULTILINE))
        assert {each.split()[0] for each in names.split(",") if each.strip()} <= exported


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_module_is_short(name):
    assert len(files()[name].splitlines()) <= 440


@pytest.mark.parametrize(
    "path", ["nothing.js", "../routes.py", "..%2f..%2fapp.py", "views/", "", "page_files.py", "views/../main.js"]
)
def test_nothing_else_is_served(client, path):
    answer = client.get(f"/page/{path}")
    assert answer.status_code == 404 or answer.content in files().values()
    if answer.status_code == 404:
        assert refusal(answer)["code"] == "not_found"


def test_the_page_can_be_had_without_a_key_and_the_model_cannot():
    with client_of(served()[0], keys=("a-long-secret",)) as client:
        assert client.get("/").status_code == client.get("/page/main.js").status_code == 200
        assert client.post("/inside/read", json={"prompt": "The fox"}).status_code == 401
        headers = {"Authorization": "Bearer a-long-secret"}
        assert client.post("/inside/read", json={"prompt": "The fox"}, headers=headers).status_code == 200


def test_the_page_lies_in_the_package():
    assert resources.files("cutaway.server").joinpath("page", "index.html").is_file()


@needs_node
@pytest.mark.parametrize("name", SCRIPTS)
def test_every_module_can_be_read(laid_out, name):
    done = subprocess.run([NODE, "--check", laid_out / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run_module(folder: Path, source: str):
    """What a script that imports the page's modules prints, as JSON."""
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", source], capture_output=True, text=True, check=True, cwd=folder
    )
    return json.loads(done.stdout)


SETTINGS = [
    {"temperature": 1.0, "top_k": 0, "top_p": 1.0},
    {"temperature": 0.5, "top_k": 0, "top_p": 1.0},
    {"temperature": 1.7, "top_k": 7, "top_p": 1.0},
    {"temperature": 0.8, "top_k": 0, "top_p": 0.6},
    {"temperature": 1.3, "top_k": 9, "top_p": 0.7},
    {"temperature": 0.0, "top_k": 0, "top_p": 1.0},
]


@needs_node
def test_what_the_sliders_show_is_what_is_drawn_from(laid_out):
    logits = np.random.default_rng(2).normal(0, 2, 40)
    logits[3] = logits[5]  # a tie
    logprobs = log_softmax(logits)
    order = np.argsort(-logprobs, kind="stable")
    script = (
        'import { drawn } from "./distribution.js";'
        f"const logprobs = {json.dumps(logprobs[order].tolist())};"
        f"console.log(JSON.stringify({json.dumps(SETTINGS)}.map((one) => drawn(logprobs, 40, one))))"
    )
    for settings, shown in zip(SETTINGS, run_module(laid_out, script), strict=True):
        if settings["temperature"] == 0:
            expected = (np.arange(40) == 0).astype(float)
        else:
            expected = np.exp(log_softmax(truncate(logits, SamplingParams(**settings))))[order]
        assert shown["shares"] == pytest.approx(expected, abs=1e-12)
        assert shown["rest"] == pytest.approx(0, abs=1e-12)
        assert not shown["about"]


@needs_node
def test_what_is_not_listed_is_weighed_as_a_whole(laid_out):
    logprobs = np.log(np.array([0.4, 0.2, 0.1]))
    script = (
        'import { drawn } from "./distribution.js";'
        f"const at = (settings) => drawn({json.dumps(logprobs.tolist())}, 103, settings);"
        "const all = { temperature: 1, top_k: 0, top_p: 1 };"
        "console.log(JSON.stringify([at(all), at({ ...all, top_k: 2 }), at({ ...all, top_p: 0.85 })]))"
    )
    everything, two, nucleus = run_module(laid_out, script)
    assert everything["shares"] == pytest.approx([0.4, 0.2, 0.1])
    assert everything["rest"] == pytest.approx(0.3)
    assert two["shares"] == pytest.approx([2 / 3, 1 / 3, 0])
    assert two["rest"] == 0
    assert nucleus["rest"] == pytest.approx(0.15 / 0.85, abs=0.01)
    assert nucleus["about"]


@needs_node
def test_differences_are_what_is_not_common(laid_out):
    script = (
        'import { differences } from "./differences.js";'
        "const pairs = [[[1, 2, 3, 4], [1, 3, 5, 4]], [[], [1]], [[1, 2], [1, 2]]];"
        "console.log(JSON.stringify(pairs.map(([one, other]) => differences(one, other))))"
    )
    some, empty, none = run_module(laid_out, script)
    assert some == [[False, True, False, False], [False, False, True, False]]
    assert empty == [[], [True]]
    assert none == [[False, False], [False, False]]


@needs_node
def test_branches_share_what_came_before(laid_out):
    script = (
        'import { Tree } from "./branches.js";'
        "const token = (token) => ({ token, piece: String(token), logprob: -1, top: [[9, '9', -2]] });"
        "const tree = new Tree([1, 2].map(token));"
        "for (const each of [3, 4, 5]) tree.add(token(each));"
        "const fresh = tree.take(3, [9, '9', -2]); tree.add(token(6));"
        "const branch = tree.ids; const again = tree.take(3, [9, '9', -2]);"
        "const inPrompt = tree.take(1, [7, '7', -3]);"
        "const facts = [fresh, branch, again, inPrompt, tree.ids, tree.promptLength, tree.branches.length];"
        "tree.current = tree.trunk; console.log(JSON.stringify([...facts, tree.ids, tree.promptLength]))"
    )
    fresh, branch, again, in_prompt, ids, prompt, count, trunk, given = run_module(laid_out, script)
    assert (fresh, again, in_prompt) == (True, False, True)
    assert branch == [1, 2, 3, 9, 6]
    assert (ids, prompt, count) == ([1, 7], 1, 3)
    assert (trunk, given) == ([1, 2, 3, 4, 5], 2)


@needs_node
def test_changes_come_back_from_what_is_asked(laid_out):
    script = (
        'import { Changes } from "./changes.js";'
        "const one = new Changes(); one.scale(0, 1, 0); one.scale(0, 2, 0);"
        "one.scale(1, null, 1.5); one.scale(1, 0, 1);"
        "one.others.push({ kind: 'steer', name: 'h.1.resid_pre', factor: 2, text: 'owl' });"
        "const other = new Changes(); other.restore(one.asked());"
        "console.log(JSON.stringify([one.asked(), other.asked(), other.factor(0, 2), other.factor(1, 0), one.count]))"
    )
    asked, again, off, plain, count = run_module(laid_out, script)
    assert asked == again
    assert asked[:2] == [
        {"kind": "scale", "name": "h.0.z", "factor": 0, "heads": [1, 2]},
        {"kind": "scale", "name": "h.1.mlp_out", "factor": 1.5},
    ]
    assert (off, plain, count) == (0, 1, 4)
