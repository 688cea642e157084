"""A small checkpoint written by `transformers`, its numbers as `transformers` computes them, and ways to damage it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import tiny
from cutaway.verify import Reference
from cutaway.weights.names import our_names

TEXT = "Once upon a time there"
IDS = tiny.TOKENIZER.encode(TEXT)
LAYERS = 3


def good_checkpoint(folder: Path, **changes) -> Reference:
    """A whole checkpoint in a folder, and its reference, neither of them by our code."""
    _, peer = tiny.twins(seed=3, dtype=torch.float32, n_layer=LAYERS, **changes)
    peer.save_pretrained(folder)
    tiny.TOKENIZER.save(folder)
    return Reference.from_dict(reference_of(peer.double(), load_file(folder / "model.safetensors")))


@torch.no_grad()
def reference_of(peer, stored) -> dict:
    """What `transformers` computes, in the form of a reference."""
    seen = peer(torch.tensor([IDS]), output_hidden_states=True, output_attentions=True)
    logits = seen.logits[0]
    first, *_, last = seen.hidden_states
    written = peer.generate(torch.tensor([IDS]), max_new_tokens=8, do_sample=False, eos_token_id=None)[0, len(IDS) :]
    config = peer.config
    return {
        "name": "good",
        "config": {"n_layer": config.n_layer, "n_head": config.n_head, "layer_norm_epsilon": config.layer_norm_epsilon},
        "parameters": sum(parameter.numel() for parameter in peer.parameters()),
        "tokens": [{"text": TEXT, "ids": IDS}],
        "hidden": [
            {"ids": IDS, "place": place, "decimals": 4, "rows": rows_of(states[0])}
            for place, states in (("embed+pos_embed", first), ("h.0.resid_post", seen.hidden_states[1]), ("ln_f", last))
        ],
        "attention": [
            {
                "ids": IDS,
                "layer": 1,
                "head": min(2, config.n_head - 1),
                "decimals": 3,
                "rows": [
                    row[: q + 1].tolist() for q, row in enumerate(seen.attentions[1][0, min(2, config.n_head - 1)])
                ],
            }
        ],
        "next": [{"ids": IDS, "tokens": logits.argmax(-1).tolist()}],
        "among": [{"ids": IDS, "token": int(logits[-1].topk(2).indices[1]), "top": 2}],
        "greedy": [{"ids": IDS, "continuation": written.tolist()}],
        "loss": [
            {
                "ids": IDS,
                "loss": torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(IDS[1:])).item(),
                "tolerance": 1e-4,
            }
        ],
        "tensors": {
            name: {"sha256": hashlib.sha256(stored[key].astype("<f4").tobytes()).hexdigest()}
            for name, key in our_names(stored, "the test").items()
        },
    }


def rows_of(states):
    return [
        {"row": row, "first": states[row, :3].tolist(), "last": states[row, -3:].tolist()}
        for row in (0, 2, len(IDS) - 1)
    ]


def without(reference: Reference, *parts: str) -> Reference:
    """The reference without some parts, as that of a published model lacks hashes of single tensors."""
    values = json.loads(reference.to_json())
    return Reference.from_dict({part: value for part, value in values.items() if part not in parts})


def change_tensors(folder: Path, change) -> None:
    """Let `change` alter the arrays by our names, and write the file again."""
    path = folder / "model.safetensors"
    stored = load_file(path)
    arrays = {name: stored[key].copy() for name, key in our_names(stored, "the test").items()}
    change(arrays)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path, metadata={"format": "pt"})


def change_config(folder: Path, **values) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
