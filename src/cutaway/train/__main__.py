"""`python -m cutaway.train CONFIG.toml`: train, or go on training, as the file says."""

import os
import sys
from pathlib import Path

from cutaway.errors import CutawayError
from cutaway.train.config import TrainConfig
from cutaway.train.loop import train
from cutaway.train.place import Place
from cutaway.train.signals import StopSignal

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m cutaway.train CONFIG.toml")
    place = Place()
    try:
        place = Place.from_environment(os.environ)
        with StopSignal(patient=not place.is_alone) as stopping:
            train(TrainConfig.from_toml(Path(sys.argv[1]), os.environ), stopping=stopping)
    except CutawayError as error:
        # Processes share their mistakes, so one on each machine tells of them.
        if place.is_first_here:
            print(error, file=sys.stderr)
        sys.exit(2)
    sys.exit(stopping.exit_code)
