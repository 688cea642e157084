"""GPT-2's forward once more, from scratch in numpy, with every intermediate value by name: what traces are held to."""

import math

import numpy as np


def forward(model, ids):
    """Every activation of one text, by the network's own names, from the weights alone, in float64."""
    weights = {name: value.double().numpy(force=True) for name, value in model.state_dict().items()}
    config, T = model.config, len(ids)
    seen = {"embed": weights["wte.weight"][list(ids)], "pos_embed": weights["wpe.weight"][:T]}
    x = seen["embed"] + seen["pos_embed"]
    for layer in range(config.n_layer):
        own = {name.removeprefix(f"h.{layer}."): value for name, value in weights.items()}
        x = block(own, config, x, lambda name, value, at=layer: seen.__setitem__(f"h.{at}.{name}", value))
    seen["ln_f"] = layer_norm(x, weights["ln_f.weight"], weights["ln_f.bias"], config.layer_norm_epsilon)
    seen["logits"] = seen["ln_f"] @ weights["lm_head.weight"].T
    return seen


def block(weights, config, x, keep):
    """One layer; `keep` is told of all that happens in it."""
    T, H, D = len(x), config.n_head, config.head_size
    keep("resid_pre", x)
    normed = layer_norm(x, weights["ln_1.weight"], weights["ln_1.bias"], config.layer_norm_epsilon)
    keep("ln_1", normed)
    qkv = normed @ weights["attn.c_attn.weight"].T + weights["attn.c_attn.bias"]
    z = np.empty((H, T, D))
    parts = {name: np.stack([part[:, h * D : (h + 1) * D] for h in range(H)])
             for name, part in zip("qkv", np.split(qkv, 3, axis=1), strict=True)}  # fmt: skip
    patterns = np.zeros((H, T, T))
    for head in range(H):
        for query in range(T):
            scores = parts["k"][head, : query + 1] @ parts["q"][head, query] / math.sqrt(D)
            patterns[head, query, : query + 1] = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        z[head] = patterns[head] @ parts["v"][head]
    for name, value in {**parts, "pattern": patterns, "z": z}.items():
        keep(name, value)
    attn_out = np.concatenate(list(z), axis=1) @ weights["attn.c_proj.weight"].T + weights["attn.c_proj.bias"]
    keep("attn_out", attn_out)
    x = x + attn_out
    keep("resid_mid", x)
    normed = layer_norm(x, weights["ln_2.weight"], weights["ln_2.bias"], config.layer_norm_epsilon)
    keep("ln_2", normed)
    pre = normed @ weights["mlp.c_fc.weight"].T + weights["mlp.c_fc.bias"]
    post = 0.5 * pre * (1 + np.tanh(math.sqrt(2 / math.pi) * (pre + 0.044715 * pre**3)))
    out = post @ weights["mlp.c_proj.weight"].T + weights["mlp.c_proj.bias"]
    for name, value in {"mlp_pre": pre, "mlp_post": post, "mlp_out": out}.items():
        keep(name, value)
    keep("resid_post", x + out)
    return x + out


def layer_norm(x, weight, bias, epsilon):
    """Each position to mean 0 and spread 1, then to the learned ones."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return weight * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon) + bias
