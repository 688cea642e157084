"""The scorer that suits a network. PyTorch is loaded only for its own."""

from cutaway.evals.native_scorer import NativeScorer
from cutaway.evals.passage import Scorer
from cutaway.generate.reading import Network
from cutaway.native import NativeModel


def scorer_of(network: Network) -> Scorer:
    """The scorer that suits a network, in native hands or in PyTorch."""
    if isinstance(network, NativeModel):
        return NativeScorer(network)
    from cutaway.evals.torch_scorer import TorchScorer  # brings torch, which is here by now

    return TorchScorer(network)
