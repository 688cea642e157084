"""The network and its loss as one module: what several processes wrap, who act when a module is called."""

from collections.abc import Callable

from torch import Tensor, nn

from cutaway.model import GPT
from cutaway.train.evaluate import summed_loss
from cutaway.train.head_loss import gradient_last, head_loss


class Objective(nn.Module):
    """Tokens in, loss out. The head's weight is that of the embedding, so it has to be read inside such a call."""

    def __init__(self, model: GPT, hidden: Callable[..., Tensor]) -> None:
        super().__init__()
        self.model, self.hidden = model, hidden

    def forward(self, idx: Tensor, targets: Tensor, *documents: Tensor) -> Tensor:
        """The mean loss of some rows, in nats per token; what else there is of them goes to the network.

        Shapes: idx, targets, documents (B, T) -> ()
        """
        head = gradient_last(self.model.lm_head.weight)
        return head_loss(self.hidden(idx, *documents), head, targets)

    def summed_loss(self, idx: Tensor, targets: Tensor) -> float:
        """The loss of all tokens together, for an evaluation.

        Shapes: idx, targets (B, T)
        """
        return summed_loss(self.model, idx, targets)
