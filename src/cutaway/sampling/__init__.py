"""From logits to a token."""

from cutaway.sampling.draw import check_possible, draw, fresh_seed, most_likely, most_likely_logprobs, uniforms
from cutaway.sampling.params import BeamParams, ContrastiveParams, SamplingParams
from cutaway.sampling.processors import log_softmax, penalize, softmax, truncate

__all__ = [
    "BeamParams",
    "ContrastiveParams",
    "SamplingParams",
    "check_possible",
    "draw",
    "fresh_seed",
    "log_softmax",
    "most_likely",
    "most_likely_logprobs",
    "penalize",
    "softmax",
    "truncate",
    "uniforms",
]
