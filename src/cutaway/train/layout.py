"""How the network lies in the processes that train it: whole in the only one, a replica in each, or in shards.

All three give the same losses up to the rounding of float32, for the sums of gradients are added up in another order.
"""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from cutaway.model import GPT
from cutaway.train.batches import rows_at_a_time
from cutaway.train.config import TrainConfig
from cutaway.train.device import autocast
from cutaway.train.network import compile_layers, compiled
from cutaway.train.objective import Objective
from cutaway.train.processes import Processes
from cutaway.train.sharding import whole
from cutaway.weights.load import empty_model


class Whole:
    """All of the network in one process."""

    is_sharded = False

    def __init__(self, model: GPT, config: TrainConfig) -> None:
        self.model = model
        self.objective = Objective(model, compiled(model.hidden, config.compile))

    def loss(self, part: tuple[Tensor, ...], *, last: bool) -> Tensor:
        """The loss of some rows, `last` if the gradients are complete with them.

        Shapes: -> ()
        """
        return self.objective(*part)  # type: ignore[no-any-return]

    def summed_loss(self, idx: Tensor, targets: Tensor) -> float:
        """The loss of all tokens together, for an evaluation.

        Shapes: idx, targets (B, T)
        """
        return self.objective.summed_loss(idx, targets)

    def whole_model(self) -> GPT:
        """The network, each weight of it whole."""
        return self.model


class Replicas(Whole):
    """The network in every process; they share out the rows of a batch, and exchange their gradients.

    PyTorch's DDP does so bucket by bucket, while the rest of the gradient is still being computed. Only with the last
    part of a batch: what the parts before add up to stays in the process.

    Source: Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training".
    """

    def __init__(self, model: GPT, config: TrainConfig, processes: Processes) -> None:
        super().__init__(model, config)
        # Gradients that lie in the buckets need no second copy.
        self.replica = nn.parallel.DistributedDataParallel(self.objective, gradient_as_bucket_view=True)
        self.settle(rows_at_a_time(config, processes.world_size, model.device), config)

    def settle(self, rows: int, config: TrainConfig) -> None:
        """Take a step that does not count.

        With its first, DDP learns in which order the gradients come, and sorts its buckets by that; sums of three and
        more are then added up in another order. So a run that goes on would differ in the last bit from one that was
        never interrupted, for its first step comes later.
        """
        idx = torch.zeros(rows, config.model.block_size, dtype=torch.long, device=self.model.device)
        with autocast(self.model.device, config.precision):
            loss = self.loss((idx, idx), last=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.replica.zero_grad()

    def loss(self, part: tuple[Tensor, ...], *, last: bool) -> Tensor:
        """The loss of some rows; with the last ones, the gradients become the mean over all processes.

        Shapes: -> ()
        """
        with nullcontext() if last else self.replica.no_sync():
            return self.replica(*part)  # type: ignore[no-any-return]


class Shards(Whole):
    """Of every weight, its gradient and what the optimizer remembers of it, a share in each process.

    A layer is brought together when it is needed, and let go of after it; FSDP2 fetches the next one meanwhile. The
    embeddings, `ln_f` and the head, which is the embedding again, belong to the objective as a whole. Weights travel
    as float32, as the optimizer holds them, and are rounded by autocast where they are used: the numbers are those of
    the other layouts.

    Source: Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel".
    """

    is_sharded = True

    def __init__(self, model: GPT, config: TrainConfig, processes: Processes) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

        if config.compile:
            # Each layer by itself: what lies between them, the fetching, is nothing to be translated.
            compile_layers(model)
        self.model, self.objective, self.processes = model, Objective(model, model.hidden), processes
        mesh = init_device_mesh(model.device.type, (processes.world_size,))
        for block in model.h:
            fully_shard(block, mesh=mesh)
        fully_shard(self.objective, mesh=mesh)
        register_fsdp_forward_method(self.objective, "summed_loss")
        # While a weight is brought together, the module holds the whole of it in the place of this share.
        self.shares = dict(model.named_parameters())

    def loss(self, part: tuple[Tensor, ...], *, last: bool) -> Tensor:
        """The loss of some rows; with the last ones, each process gets its share of the mean of all gradients.

        Shapes: -> ()
        """
        self.objective.set_requires_gradient_sync(last)  # type: ignore[operator]
        return self.objective(*part)  # type: ignore[no-any-return]

    def summed_loss(self, idx: Tensor, targets: Tensor) -> float:
        """The loss of all tokens together; every process has to ask equally often.

        Shapes: idx, targets (B, T)
        """
        nats = self.objective.summed_loss(idx, targets)
        # Only the way back lets go of the outermost weights, and an evaluation has none.
        self.objective.reshard()  # type: ignore[operator]
        return nats

    def whole_model(self) -> GPT:
        """A copy of the network on the first process's CPU, each weight of it whole; elsewhere it stays empty.

        Every process has to ask at the same time.
        """
        model = empty_model(self.model.config)
        for name, share in self.shares.items():
            weight = whole(share.detach())
            if self.processes.is_first:
                model.load_state_dict({name: weight.cpu()}, strict=False, assign=True)
        if model.config.tie_word_embeddings:
            model.lm_head.weight = model.wte.weight
        return model.eval()


def laid_out(model: GPT, config: TrainConfig, processes: Processes) -> Whole:
    """The layout that the configuration asks for, if there are several processes."""
    if processes.is_alone:
        return Whole(model, config)
    if config.parallel == "fsdp":
        return Shards(model, config, processes)
    return Replicas(model, config, processes)
