"""Whether a checkpoint holds what it claims, and this package computes it right: one check after the other.

Read in this order: `check`, `reference`, `contents`; then what is checked: `files`, `tensors`, `tokens`, `numbers`;
then the other ways to compute the network: `plain`, `witnesses`, `kernels`, `peer`; `diagnosis`, `record` and `run`
put them together.
"""

from cutaway.verify.check import Check
from cutaway.verify.reference import Reference
from cutaway.verify.run import make_reference, verify

__all__ = ["Check", "Reference", "make_reference", "verify"]
