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
