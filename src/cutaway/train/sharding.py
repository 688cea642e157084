"""Tensors of which each process holds a share, and the whole of them.

On a tensor that lies whole in one process, these functions do nothing.
"""

from torch import Tensor


def is_sharded(tensor: Tensor) -> bool:
    """Whether the tensor is a `DTensor`."""
    # Asked in this way, for to import that class takes half a second, which a process on its own need not spend.
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor; every process has to ask for it at the same time."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]


def laid_out_like(tensor: Tensor, other: Tensor) -> Tensor:
    """Of a whole tensor, which every process has, the share that this process has of the other one."""
    if is_sharded(tensor) or not is_sharded(other):
        return tensor
    from torch.distributed.tensor import DTensor, Replicate

    assert isinstance(other, DTensor)
    mesh = other.device_mesh
    everywhere = DTensor.from_local(tensor, mesh, [Replicate()] * mesh.ndim, run_check=False)
    return everywhere.redistribute(mesh, other.placements)
