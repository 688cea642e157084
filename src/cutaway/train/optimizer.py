"""Who updates which weight: AdamW all, or Muon the matrices inside the layers and AdamW everything else."""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from cutaway.errors import TrainingError
from cutaway.train.adamw import AdamW
from cutaway.train.config import OptimizerConfig
from cutaway.train.muon import Muon
from cutaway.train.sharding import laid_out_like
from cutaway.train.update_rule import Each, Group, UpdateRule

Groups = list[Group]


class Optimizers:
    """One or two optimizers as one, whose state has names."""

    def __init__(self, model: nn.Module, config: OptimizerConfig, each: Each = map) -> None:
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.optimizers: tuple[UpdateRule, ...] = tuple(optimizers(self.parameters, config, each))
        self.peaks = [(group, group["lr"]) for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_learning_rate(self, scale: float) -> None:
        """Set every learning rate to this share of its peak."""
        for group, peak in self.peaks:
            group["lr"] = scale * peak

    def step(self) -> None:
        """Update all weights and forget their gradients."""
        for optimizer in self.optimizers:
            optimizer.step()

    def forget_gradients(self) -> None:
        """Leave the weights as they are."""
        for optimizer in self.optimizers:
            optimizer.forget_gradients()

    def state(self) -> dict[str, Tensor]:
        """What the optimizers remember of each weight, named `<weight>:<what>`."""
        return {
            f"{name}:{what}": value
            for optimizer in self.optimizers
            for name, parameter in self.parameters.items()
            for what, value in optimizer.state.get(parameter, {}).items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Remember again what `state` returned.

        Raises: TrainingError when it belongs to another model.
        """
        owners = {p: o for o in self.optimizers for group in o.param_groups for p in group["params"]}
        for key, value in state.items():
            name, _, what = key.rpartition(":")
            if name not in self.parameters:
                raise TrainingError(f"the saved optimizer remembers {name!r}, which this model does not have")
            parameter = self.parameters[name]
            # A number such as how many steps were taken is the same everywhere.
            share = laid_out_like(value.to(parameter.device), parameter) if value.shape == parameter.shape else value
            owners[parameter].state[parameter][what] = share.to(parameter.device, copy=True)


def optimizers(parameters: Mapping[str, nn.Parameter], config: OptimizerConfig, each: Each) -> Iterator[UpdateRule]:
    """The optimizers of these weights."""
    hidden = {name: p for name, p in parameters.items() if name.startswith("h.") and p.ndim == 2}
    if config.name == "muon":
        muon = muon_groups(hidden)
        yield Muon(muon, config.muon_lr, config.momentum, each, config.weight_decay)
        parameters = {name: p for name, p in parameters.items() if name not in hidden}
    # By LoRA there may be nothing else.
    if groups := adamw_groups(parameters, config.weight_decay):
        yield AdamW(groups, config.adamw_lr, (config.beta1, config.beta2), each)


def muon_groups(hidden: Mapping[str, nn.Parameter]) -> Groups:
    """The matrices inside the layers, those apart that are several."""
    # c_attn is three matrices, for queries, keys and values, and each is made orthogonal by itself.
    fused = [p for name, p in hidden.items() if name.endswith("c_attn.weight")]
    single = [p for name, p in hidden.items() if not name.endswith("c_attn.weight")]
    return [{"params": fused, "stacked": 3}, {"params": single}]


def adamw_groups(parameters: Mapping[str, nn.Parameter], weight_decay: float) -> Groups:
    """The matrices, embeddings among them, which decay, and the vectors, which do not: they are few and set scales."""
    matrices = [p for p in parameters.values() if p.ndim > 1]
    vectors = [p for p in parameters.values() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
