"""Our checkpoint as OpenVINO likes a language model best; runs in its environment, as a script.

    python openvino_model.py CHECKPOINT TARGET.xml fp32|int8

Its CPU plugin fuses attention with the cache where it finds: state, gathered by `beam_idx`, concatenated with the new
keys, into scaled_dot_product_attention. So the network is traced in PyTorch in that form; from ONNX it is not found.

Source: openvinotoolkit/openvino, src/plugins/intel_cpu, stateful_sdpa_fusion.cpp; huggingface/optimum-intel, which
exports models so.
"""

import sys

import numpy as np
import openvino
import torch
from openvino import opset13
from openvino.passes import MakeStateful, Manager
from torch.nn import functional as F

from cutaway.weights import load_model


class Stateful(torch.nn.Module):
    """Tokens, the order of the rows, and the keys and values of each layer in; logits after the last token, and they
    with the new ones, out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, beam_idx, *past):
        model, B, T = self.model, input_ids.shape[0], input_ids.shape[1]
        S = past[0].shape[2] + T
        positions = torch.arange(S - T, S)
        mask = torch.arange(S)[None] <= positions[:, None]
        x, presents = model.wte(input_ids) + model.wpe(positions), []
        for block, old_k, old_v in zip(model.h, past[0::2], past[1::2], strict=True):
            heads = [part.view(B, T, model.config.n_head, -1) for part in block.attn.c_attn(block.ln_1(x)).chunk(3, -1)]
            q, k, v = (part.transpose(1, 2) for part in heads)
            k = torch.cat([old_k.index_select(0, beam_idx), k], dim=2)
            v = torch.cat([old_v.index_select(0, beam_idx), v], dim=2)
            presents += [k, v]
            z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            x = x + block.attn.c_proj(z.transpose(1, 2).reshape(B, T, -1))
            x = x + block.mlp(block.ln_2(x), None)
        return model.lm_head(model.ln_f(x[:, -1:])), *presents


def convert(model):
    """With dynamic sizes, and names by which past and present belong together."""
    config = model.config
    past = torch.zeros(2, config.n_head, 3, config.head_size)
    example = (torch.ones(2, 4, dtype=torch.long), torch.arange(2, dtype=torch.int32), *[past] * (2 * config.n_layer))
    with torch.no_grad():
        found = openvino.convert_model(Stateful(model), example_input=example)
    for i, (source, target) in enumerate(zip(found.inputs[2:], found.outputs[1:], strict=True)):
        source.get_node().set_partial_shape(openvino.PartialShape([-1, config.n_head, -1, config.head_size]))
        source.get_tensor().set_names({f"past.{i}"})
        target.get_tensor().set_names({f"present.{i}"})
    found.inputs[0].get_node().set_partial_shape(openvino.PartialShape([-1, -1]))
    found.inputs[1].get_node().set_partial_shape(openvino.PartialShape([-1]))
    found.validate_nodes_and_infer_types()
    return found


def keep_state(found, config):
    """Past and present become state, which begins empty with as many rows as the tokens have."""
    ids = found.inputs[0].get_node()
    manager = Manager()
    manager.register_pass(MakeStateful({f"past.{i}": f"present.{i}" for i in range(2 * config.n_layer)}))
    manager.run_passes(found)
    rows = opset13.gather(opset13.shape_of(ids, "i64"), opset13.constant(np.array([0])), opset13.constant(np.array(0)))
    sizes = [rows, *(opset13.constant(np.array([size])) for size in (config.n_head, 0, config.head_size))]
    for operation in found.get_ops():
        if operation.get_type_name() == "ReadValue":
            nothing = opset13.broadcast(opset13.constant(np.float32(0)), opset13.concat(sizes, 0))
            operation.set_arguments([nothing])
    found.validate_nodes_and_infer_types()


def main(checkpoint, target, precision):
    model = load_model(checkpoint)
    found = convert(model)
    keep_state(found, model.config)
    if precision == "int8":
        import nncf

        found = nncf.compress_weights(found)
    openvino.save_model(found, target, compress_to_fp16=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
