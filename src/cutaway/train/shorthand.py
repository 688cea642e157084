"""Short ways to say what a configuration means, written out in full: a prepared folder, a preset, a checkpoint.

`data = "folder"` with `batch_size` stands for that folder's training part as the only source, its validation part as
what is held out, and its tokenizer. `preset = "gpt2"` in `[model]` stands for a published shape. `init = "name"`
brings the shape of that checkpoint. The size of the vocabulary is that of the prepared folder.
"""

from collections.abc import Mapping
from typing import Any

from cutaway.config import PRESETS, GPTConfig
from cutaway.data import TokenFolder
from cutaway.errors import ConfigError
from cutaway.train.fields import check_table, check_text
from cutaway.weights import read_config
from cutaway.weights.locate import locate

SCRATCH = "scratch"
VALIDATION = "validation"
FREE = ("dropout", "block_size")
"""What may differ from the checkpoint that a run starts from."""


def written_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without short forms.

    Raises: ConfigError when a short form contradicts a long one; DataError when a folder is not prepared data;
        CheckpointError when there is no such checkpoint.
    """
    made = dict(values)
    model = dict(check_table("model", made.get("model", {})))
    if "preset" in model:
        name = model.pop("preset")
        GPTConfig.preset(name)
        model = {**PRESETS[name], **model}
    if "data" in made:
        made, n_vocab = with_folder(made)
        if made.get("init", SCRATCH) == SCRATCH:
            model.setdefault("vocab_size", n_vocab)
    elif "batch_size" in made:
        raise ConfigError("batch_size belongs to data; the rows of [[sources]] say how many there are of each")
    if made.get("init", SCRATCH) != SCRATCH:
        model = shape_of(made["init"], model)
    return {**made, "model": model} if model or "model" in made else made


def with_folder(values: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """The values with `data` and `batch_size` written out, and the size of that folder's vocabulary.

    Raises: ConfigError when there are sources, too, or no `batch_size`; DataError when it is not prepared data.
    """
    made = dict(values)
    data = made.pop("data")
    check_text("data", data)
    if "sources" in made:
        raise ConfigError("data and [[sources]] exclude each other; leave one out")
    if "batch_size" not in made:
        raise ConfigError("data needs batch_size, the number of rows in a batch; add it")
    manifest = TokenFolder(data).manifest
    made["sources"] = [{"path": data, "rows": made.pop("batch_size")}]
    made.setdefault("held_out", {VALIDATION: data} if manifest.of(VALIDATION) else {})
    made.setdefault("tokenizer", data)
    return made, manifest.n_vocab


def shape_of(checkpoint: Any, model: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of a checkpoint, with another dropout or length of context if one is given.

    Raises: ConfigError when anything else is given and different; CheckpointError when there is no such checkpoint.
    """
    check_text("init", checkpoint)
    shape = read_config(locate(checkpoint).folder / "config.json").to_dict()
    for name, value in model.items():
        if name not in FREE and name in shape and shape[name] != value:
            raise ConfigError(f"model.{name}={value!r}, but {checkpoint!r} has {shape[name]!r}; leave it out")
    return {**shape, **model}
