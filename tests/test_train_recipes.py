"""Every recipe in configs/ can be read, with data and a checkpoint of the kind it asks for."""

from pathlib import Path

import pytest

from command_line import run, tiny
from cutaway.train.config import TrainConfig
from training import TEXT

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.mark.parametrize("recipe", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_can_be_read(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT)
    settings = []
    text = recipe.read_text()
    if 'data = "' in text:
        folder = text.split('data = "')[1].split('"')[0]
        tokenizer = "char" if "characters" in recipe.stem else tiny()
        arguments = ["-o", folder, "--tokenizer", tokenizer, "--validation", "0.2", "--workers", "1"]
        assert run("prepare", "text.txt", *arguments).code == 0
    if 'init = "' in text:
        settings = [f"init={tiny()}"]
    config = TrainConfig.from_toml(recipe, {}, settings)
    assert config.held_out
    assert config.out == Path("runs") / config.out.relative_to("runs")


SHRUNK = ["steps=2", "batch_size=2", "micro_rows=1", "eval_every=1", "eval_windows=1", "sample_every=2"]
SMALL_MODEL = ["model.n_layer=1", "model.n_head=2", "model.n_embd=8", "model.block_size=16"]
AS_HERE = {
    "gpt2": tiny(),
    "fable": tiny(),
    "my-text/": "text/",
    "corpus/": "text/",
    "tinyshakespeare.txt": "text/text.txt",
}


@pytest.mark.parametrize("name", ["shakespeare-characters", "gpt2-124m", "fine-tune", "lora"])
def test_a_recipe_runs_as_its_comment_says(name, tmp_path, monkeypatch):
    """In small: with a tiny model in place of the named ones, and a few lines in place of the text."""
    monkeypatch.chdir(tmp_path)
    Path("text").mkdir()
    Path("text/text.txt").write_text(TEXT)
    recipe = (CONFIGS / f"{name}.toml").read_text()
    prepare, *afterwards = [
        line.removeprefix("# ").split() for line in recipe.splitlines() if line.startswith("# cuta")
    ]
    more = [] if "--validation" in prepare else ["--validation", "0.2"]
    run_as_here(prepare[1:], *more)
    settings = [f"init={tiny()}"] if "init = " in recipe else [*SMALL_MODEL, "compile=false", "precision=float32"]
    run_as_here(["train", CONFIGS / f"{name}.toml"], *(f"--set={setting}" for setting in [*SHRUNK, *settings]))
    for command in afterwards:
        run_as_here(command[1:])
    assert Path("runs", name, "log.jsonl").exists()


def run_as_here(command, *more):
    """Run a command with what is at hand in place of what it names."""
    words = [AS_HERE.get(word, word) for word in command]
    result = run(*words, *more)
    assert result.code == 0, (words, result.err)
