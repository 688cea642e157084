"""The command `cutaway`: each command in a file of its own, loaded only when it is called."""

from cutaway.cli.app import main

__all__ = ["main"]
