"""What llama.cpp calls the tensors of a GPT-2."""

import re

OUTSIDE = {
    "wte": "token_embd",
    "wpe": "position_embd",
    "ln_f": "output_norm",
    "lm_head": "output",
}
"""Modules outside of the layers, by our name."""

IN_LAYER = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
"""Modules of a layer, by our name."""

POSITIONS = "position_embd.weight"

_OUTSIDE_BACK = {theirs: ours for ours, theirs in OUTSIDE.items()}
_IN_LAYER_BACK = {theirs: ours for ours, theirs in IN_LAYER.items()}
_OURS = re.compile(r"(?:h\.(?P<layer>\d+)\.)?(?P<module>.+)\.(?P<kind>weight|bias)")
_THEIRS = re.compile(r"(?:blk\.(?P<layer>\d+)\.)?(?P<module>\w+)\.(?P<kind>weight|bias)")


def gguf_name(name: str) -> str:
    """llama.cpp's name of our tensor: `h.3.attn.c_attn.weight` is `blk.3.attn_qkv.weight`."""
    found = _OURS.fullmatch(name)
    assert found, "every tensor of ours has such a name"
    if found["layer"] is None:
        return f"{OUTSIDE[found['module']]}.{found['kind']}"
    return f"blk.{found['layer']}.{IN_LAYER[found['module']]}.{found['kind']}"


def name_from_gguf(name: str) -> str | None:
    """Our name of llama.cpp's tensor; None for one that a GPT-2 does not have."""
    found = _THEIRS.fullmatch(name)
    if not found:
        return None
    if found["layer"] is None:
        module = _OUTSIDE_BACK.get(found["module"])
        return module and f"{module}.{found['kind']}"
    module = _IN_LAYER_BACK.get(found["module"])
    return module and f"h.{found['layer']}.{module}.{found['kind']}"
