"""GPT-2 as an ONNX graph: the same network as `cutaway.model`, operation by operation.

Shapes: B batch, T new tokens, P cached before them, S = P + T; B, T and P may differ at each run.

Source: onnx.ai/onnx/operators; the names of inputs and outputs are those that Hugging Face's exports have.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cutaway.config import GPTConfig

OPSET = 20
"""The first with GELU in its tanh form; ONNX Runtime 1.17 and OpenVINO 2024.0 know it."""

IR_VERSION = 9
"""The file format that came with that opset."""


class Graph:
    """The operations of a GPT-2, added one after the other; weights are named, not held.

    With `cache`, keys and values of earlier tokens come in and all of them go out, so that a text can be continued
    without reading it again; none at all (P = 0) are allowed.
    """

    def __init__(self, config: GPTConfig, library: Any, *, cache: bool) -> None:
        self.config, self.library, self.cache = config, library, cache
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.presents: list[str] = []

    def build(self, weights: Sequence[Any]) -> Any:
        """The whole model, with weights as the library's tensors."""
        self._network()
        make = self.library.helper
        graph = make.make_graph(
            self.nodes, "gpt2", self._inputs(), self._outputs(), initializer=[*weights, *self.constants]
        )
        opset = make.make_opsetid("", OPSET)
        return make.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="cutaway")

    def _network(self) -> None:
        self._geometry()
        tokens = self._add("Gather", ["wte.weight", "input_ids"])  # (B, T) -> (B, T, C)
        x = self._add("Add", [tokens, self._add("Gather", ["wpe.weight", "positions"])])
        for layer in range(self.config.n_layer):
            x = self._block(x, f"h.{layer}")
        x = self._norm(x, "ln_f")
        # A Gemm takes the embedding as it lies, (V, C); a MatMul would need a transposed copy of it.
        flat = self._add("Reshape", [x, self._integers([-1, self.config.n_embd])])
        head = "wte.weight" if self.config.tie_word_embeddings else "lm_head.weight"
        logits = self._add("Gemm", [flat, head], transB=1)
        self._add("Reshape", [logits, self._add("Concat", ["shape", self._integers([-1])], axis=0)], "logits")

    def _geometry(self) -> None:
        """The new tokens' positions, and what each may look at: 0 where it may, -inf where it may not."""
        self._add("Shape", ["input_ids"], "shape")  # [B, T]
        zero, one = self._scalar(0), self._scalar(1)
        T = self._add("Gather", ["shape", one])
        P = zero
        if self.cache:
            P = self._add("Gather", [self._add("Shape", ["past_key_values.0.key"]), self._scalar(2)])
        S = self._add("Add", [P, T])
        self._add("Range", [P, S, one], "positions")
        queries = self._add("Unsqueeze", ["positions", self._integers([1])])
        visible = self._add("LessOrEqual", [self._add("Range", [zero, S, one]), queries])
        nothing, never = (self._constant(np.array(value, np.float32)) for value in (0, -np.inf))
        self._add("Where", [visible, nothing, never], "mask")  # (T, S)

    def _block(self, x: str, prefix: str) -> str:
        x = self._add("Add", [x, self._attention(self._norm(x, f"{prefix}.ln_1"), prefix)])
        inner = self._linear(self._norm(x, f"{prefix}.ln_2"), f"{prefix}.mlp.c_fc")
        inner = self._add("Gelu", [inner], approximate="tanh")
        return self._add("Add", [x, self._linear(inner, f"{prefix}.mlp.c_proj")])

    def _attention(self, x: str, prefix: str) -> str:
        joined = self._linear(x, f"{prefix}.attn.c_attn")  # (B, T, 3C)
        q, k, v = (self._heads(part) for part in self._split(joined))
        k, v = self._with_past(k, prefix, "key"), self._with_past(v, prefix, "value")
        scale = self._constant(np.array(1 / math.sqrt(self.config.head_size), np.float32))
        keys = self._add("Transpose", [k], perm=[0, 1, 3, 2])
        scores = self._add("Mul", [self._add("MatMul", [q, keys]), scale])  # (B, H, T, S)
        pattern = self._add("Softmax", [self._add("Add", [scores, "mask"])], axis=-1)
        z = self._add("Transpose", [self._add("MatMul", [pattern, v])], perm=[0, 2, 1, 3])
        # (B, T, H, D) -> (B, T, C): the heads side by side
        return self._linear(
            self._add("Reshape", [z, self._integers([0, 0, self.config.n_embd])]), f"{prefix}.attn.c_proj"
        )

    def _split(self, joined: str) -> list[str]:
        parts = [f"{joined}.{name}" for name in "qkv"]
        self.nodes.append(self.library.helper.make_node("Split", [joined], parts, axis=-1, num_outputs=3))
        return parts

    def _heads(self, part: str) -> str:
        """Each head's channels on an axis of their own: (B, T, C) -> (B, H, T, D)."""
        shape = self._integers([0, 0, self.config.n_head, self.config.head_size])
        return self._add("Transpose", [self._add("Reshape", [part, shape])], perm=[0, 2, 1, 3])

    def _with_past(self, new: str, prefix: str, kind: str) -> str:
        """(B, H, T, D) -> (B, H, S, D): behind what the cache holds, for which it goes out again."""
        if not self.cache:
            return new
        layer = prefix.removeprefix("h.")
        self.presents.append(present := f"present.{layer}.{kind}")
        return self._add("Concat", [f"past_key_values.{layer}.{kind}", new], present, axis=2)

    def _norm(self, x: str, name: str) -> str:
        weights = [x, f"{name}.weight", f"{name}.bias"]
        return self._add("LayerNormalization", weights, epsilon=self.config.layer_norm_epsilon)

    def _linear(self, x: str, name: str) -> str:
        return self._add("Add", [self._add("MatMul", [x, f"{name}.weight"]), f"{name}.bias"])

    def _add(self, operation: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """An operation with one output, which is what comes back."""
        output = output or f"{operation}.{len(self.nodes)}"
        self.nodes.append(self.library.helper.make_node(operation, inputs, [output], **attributes))
        return output

    def _constant(self, value: "np.ndarray[Any, Any]") -> str:
        name = f"constant.{len(self.constants)}"
        self.constants.append(self.library.numpy_helper.from_array(value, name))
        return name

    def _integers(self, values: Sequence[int]) -> str:
        return self._constant(np.array(values, np.int64))

    def _scalar(self, value: int) -> str:
        return self._constant(np.array(value, np.int64))

    def _inputs(self) -> list[Any]:
        ids = self._value("input_ids", ["batch", "sequence"], self.library.TensorProto.INT64)
        pasts = [name.replace("present", "past_key_values") for name in self.presents]
        return [ids, *(self._cached(name, "past") for name in pasts)]

    def _outputs(self) -> list[Any]:
        logits = self._value("logits", ["batch", "sequence", self.config.vocab_size])
        return [logits, *(self._cached(name, "past + sequence") for name in self.presents)]

    def _cached(self, name: str, length: str) -> Any:
        return self._value(name, ["batch", self.config.n_head, length, self.config.head_size])

    def _value(self, name: str, shape: Sequence[str | int], kind: int | None = None) -> Any:
        kind = self.library.TensorProto.FLOAT if kind is None else kind
        return self.library.helper.make_tensor_value_info(name, kind, shape)
