"""How fast a model is on this machine, next to what the machine can do at all.

Read in this order: `timing`, `environment`, `ceilings`, `contestants`, `report`, `compare`.
"""

from cutaway.speed.compare import Change, compare
from cutaway.speed.report import SpeedReport, measure

__all__ = ["Change", "SpeedReport", "compare", "measure"]
