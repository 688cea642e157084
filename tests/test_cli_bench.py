import json

import pytest

from command_line import mistake, run, tiny
from native_models import needs_kernels


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "a.json"
    result = run("bench", tiny(), "--precision", "torch", "--seconds", "0.1", "--json")
    assert (result.code, result.err) == (0, "")
    path.write_text(result.out)
    return path


def test_json_has_figures_and_environment(report):
    told = json.loads(report.read_text())
    assert {figure["name"] for figure in told["figures"]} >= {"torch: load", "torch: decode 16", "read bandwidth"}
    assert told["environment"]["usable_cores"] >= 1


@needs_kernels
def test_people_get_a_table(report):
    result = run("bench", tiny(), "--precision", "float32", "--seconds", "0.1", "--no-training")
    assert result.code == 0
    assert "float32: decode 1" in result.out
    assert "training" not in result.out


def test_two_reports_are_compared(report):
    result = run("bench", "--compare", report, report)
    assert result.code == 0
    assert "within the noise" in result.out
    changes = json.loads(run("bench", "--compare", report, report, "--json").out)["changes"]
    assert {change["ratio"] for change in changes} == {1.0}


def test_mistakes_are_one_sentence(report, tmp_path, monkeypatch):
    assert "takes two reports" in mistake("bench", "--compare", report)
    assert "cannot read" in mistake("bench", "--compare", report, tmp_path / "none.json")
    assert "seconds=0 is out of range" in mistake("bench", "--seconds", "0")
    assert "there is no model" in mistake("bench", "nowhere")
    monkeypatch.setenv("CUTAWAY_NATIVE_LIBRARY", str(tmp_path / "none.so"))
    assert "measure --precision torch" in mistake("bench", tiny(), "--precision", "int8")
