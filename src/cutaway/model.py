"""GPT-2, all of it: token ids in, logits out.

Read it from the bottom up, `GPT` first, or from the top down, from the smallest part to the whole. Attribute
names are those of the published checkpoints, so loading one is a copy.

Shapes are noted where they change: B batch, T new tokens, S cached and new tokens, C channels, H heads,
D head size, V vocabulary, L layers.

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; openai/gpt-2, src/model.py.
"""

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cutaway.cache import KVCache
from cutaway.config import GPTConfig
from cutaway.errors import GenerationError

IGNORED_TARGET = -100


class Observer(Protocol):
    """Somebody who looks into the network while it runs, and may change what it sees.

    The forward pass calls `observer(name, x)` at each named point and goes on with what comes back: the same
    tensor to read, another to patch, zeros to ablate. Names are `embed`, `pos_embed`, `ln_f`, `logits`, and in
    each layer N `h.N.` followed by `resid_pre`, `ln_1`, `q`, `k`, `v`, `pattern`, `z`, `attn_out`, `resid_mid`,
    `ln_2`, `mlp_pre`, `mlp_post`, `mlp_out`, `resid_post`. `pattern` exists only where `wants` it, because fused
    attention never forms it.
    """

    def wants(self, name: str) -> bool:
        """Whether the point `name` should be computed for this observer."""
        ...

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """See the activation `x` at `name` and return what the network should use in its place."""
        ...


def show(observer: Observer | None, x: Tensor, name: str, layer: int | None = None) -> Tensor:
    """Let the observer, if there is one, see and replace an activation."""
    if observer is None:
        return x
    return observer(name if layer is None else f"h.{layer}.{name}", x)


def attention_pattern(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """How much each query looks at each key: softmax(q kᵀ / √D), causal unless a mask says otherwise.

    Shapes: q (B, H, T, D), k (B, H, S, D), mask (…, T, S) true where a query may look -> (B, H, T, S)
    """
    T, S = q.shape[-2], k.shape[-2]
    if mask is None:
        # The last query is the newest token, so with S - T cached tokens before it the triangle shifts right.
        mask = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(S - T)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)


class Attention(nn.Module):
    """Causal self-attention: every position gathers from itself and what came before."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.n_head, self.dropout = layer, config.n_head, config.dropout
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, cache: KVCache | None, observer: Observer | None
    ) -> Tensor:
        B, T, C = x.shape
        # (B, T, 3C) -> three of (B, H, T, D)
        q, k, v = (part.view(B, T, self.n_head, -1).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2))
        q = show(observer, q, "q", self.layer)
        k = show(observer, k, "k", self.layer)
        v = show(observer, v, "v", self.layer)
        if cache is not None:
            k, v = cache.append(self.layer, positions, k, v)
        z = show(observer, self.attend(q, k, v, mask, observer), "z", self.layer)
        # (B, H, T, D) -> (B, T, C): the heads side by side
        return self.resid_dropout(self.c_proj(z.transpose(1, 2).reshape(B, T, C)))  # type: ignore[no-any-return]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, observer: Observer | None) -> Tensor:
        """Mix the values by the attention pattern, fused unless somebody asks to see the pattern.

        Shapes: q (B, H, T, D); k, v (B, H, S, D) -> (B, H, T, D)
        """
        dropout = self.dropout if self.training else 0.0
        if observer is not None and observer.wants(f"h.{self.layer}.pattern"):
            pattern = show(observer, attention_pattern(q, k, mask), "pattern", self.layer)
            return F.dropout(pattern, dropout) @ v
        # A single new token may look at everything, so it needs no triangle.
        causal = mask is None and q.shape[-2] > 1
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal)


class MLP(nn.Module):
    """Each position on its own: widen, bend, narrow."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.c_fc = nn.Linear(config.n_embd, config.mlp_size)
        # The tanh form is what GPT-2 was trained with; the exact form is a different network.
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(config.mlp_size, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, observer: Observer | None) -> Tensor:
        x = show(observer, self.c_fc(x), "mlp_pre", self.layer)
        x = show(observer, self.gelu(x), "mlp_post", self.layer)
        return self.dropout(self.c_proj(x))  # type: ignore[no-any-return]


class Block(nn.Module):
    """One layer: attention moves information between positions, the MLP works on it; both add to the stream."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = Attention(config, layer)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = MLP(config, layer)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, cache: KVCache | None, observer: Observer | None
    ) -> Tensor:
        x = show(observer, x, "resid_pre", self.layer)
        normed = show(observer, self.ln_1(x), "ln_1", self.layer)
        x = x + show(observer, self.attn(normed, positions, mask, cache, observer), "attn_out", self.layer)
        x = show(observer, x, "resid_mid", self.layer)
        normed = show(observer, self.ln_2(x), "ln_2", self.layer)
        x = x + show(observer, self.mlp(normed, observer), "mlp_out", self.layer)
        return show(observer, x, "resid_post", self.layer)


class GPT(nn.Module):
    """The whole network."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.wte.weight
        self.apply(self._init_weights)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, Attention | MLP):
            # 2L projections add to the residual stream; scaled like this their sum keeps its variance.
            nn.init.normal_(module.c_proj.weight, std=0.02 / math.sqrt(2 * self.config.n_layer))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.wte.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' number format."""
        return self.wte.weight.dtype

    def num_parameters(self) -> int:
        """How many numbers were learned; a tied head counts once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(
        self,
        idx: Tensor,
        targets: Tensor | None = None,
        *,
        documents: Tensor | None = None,
        cache: KVCache | None = None,
        observer: Observer | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Logits for the token after each position and, given targets, their mean cross-entropy in nats.

        Targets are not shifted: `targets[b, t]` is the token that should follow `idx[b, t]`; -100 is left out.

        Shapes: idx, targets, documents (B, T) -> logits (B, T, V), loss ()
        """
        x = self.hidden(idx, documents, cache=cache, observer=observer)
        logits = show(observer, self.lm_head(x), "logits")
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED_TARGET)

    def hidden(
        self,
        idx: Tensor,
        documents: Tensor | None = None,
        *,
        cache: KVCache | None = None,
        observer: Observer | None = None,
    ) -> Tensor:
        """The final hidden states, after `ln_f`: all but the head, for whoever needs logits at few positions.

        With a cache, `idx` continues what the cache holds and is added to it. Where `documents` gives each token the
        number of its document, those of other documents do not exist for it: each is read as if alone. This takes a
        mask, so attention loses its fused causal path: half the work is for nothing, and (T, T) flags a row are there.

        Shapes: idx, documents (B, T) -> (B, T, C)

        Raises: GenerationError when the tokens do not fit the context, or a cache is to hold several documents.
        """
        positions, mask = self._place(idx, documents, cache)
        tokens = show(observer, self.wte(idx), "embed")
        x = self.drop(tokens + show(observer, self.wpe(positions), "pos_embed"))
        for block in self.h:
            x = block(x, positions, mask, cache, observer)
        if cache is not None:
            cache.advance(idx.shape[1])
        return show(observer, self.ln_f(x), "ln_f")

    def _place(self, idx: Tensor, documents: Tensor | None, cache: KVCache | None) -> tuple[Tensor, Tensor | None]:
        """Where the new tokens stand and what they may look at; no mask means plainly causal.

        Shapes: idx, documents (B, T) -> positions (1, T) or (B, T), mask (B, 1, T, S) or none
        """
        T = idx.shape[1]
        if T > self.config.block_size:
            raise GenerationError(f"{T:,} tokens do not fit a context of {self.config.block_size:,}; shorten the text")
        if documents is not None:
            if cache is not None:
                raise GenerationError("a cache holds one document a row; read several documents without it")
            mask = (documents[:, :, None] == documents[:, None]).tril()
            # A token's position is how many of its own document come before it.
            return mask.sum(dim=-1) - 1, mask[:, None]
        if cache is None:
            return torch.arange(T, device=idx.device)[None], None
        positions = cache.positions(T)
        together = len(set(cache.lengths)) == 1
        if together and (T == 1 or cache.lengths[0] == 0):
            return positions, None
        S = max(cache.lengths) + T
        # A key's place in the cache is its position, so this hides both the future and any left-over padding.
        return positions, (torch.arange(S, device=idx.device) <= positions[:, :, None])[:, None]
