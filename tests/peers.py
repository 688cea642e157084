"""GPT-2 as `transformers` has it, with the same weights as ours: the reference that our network is held to."""

import torch
import transformers

from cutaway.config import GPTConfig
from cutaway.model import GPT

TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def random_peer(config: GPTConfig, *, dtype: torch.dtype = torch.float64, seed: int = 0):
    """A `transformers` GPT-2 of this shape with every weight, bias and LayerNorm moved off its initial value."""
    torch.manual_seed(seed)
    peer = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            n_positions=config.block_size,
            vocab_size=config.vocab_size,
            n_layer=config.n_layer,
            n_head=config.n_head,
            n_embd=config.n_embd,
            n_inner=config.n_inner,
            layer_norm_epsilon=config.layer_norm_epsilon,
            tie_word_embeddings=config.tie_word_embeddings,
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=config.dropout,
            bos_token_id=0,
            eos_token_id=0,
            attn_implementation="eager",
        )
    )
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return peer.to(dtype).eval()


def ours(name: str, tensor: torch.Tensor) -> tuple[str, torch.Tensor]:
    """A weight or a gradient of `transformers` under our name and in our layout."""
    name = name.removeprefix("transformer.")
    # Conv1D holds (in, out); nn.Linear holds (out, in).
    return name, tensor.T if name.endswith(TRANSPOSED) else tensor


def twin_of(peer, config: GPTConfig) -> GPT:
    """Our network with the weights of a `transformers` GPT-2."""
    model = GPT(config).to(peer.dtype)
    model.load_state_dict(dict(ours(name, tensor) for name, tensor in peer.state_dict().items()))
    return model.eval()
