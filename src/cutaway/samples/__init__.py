"""What generated texts are like: how they repeat themselves and each other, how they end, what they copied.

Read in this order: `written`, `repetition`, `self_bleu`, `lengths`; then `corpus`, `automaton`, `memorised`; `report`
puts them together.
"""

from cutaway.samples.corpus import open_corpus
from cutaway.samples.memorised import Memorised, Passage, memorised
from cutaway.samples.report import SampleReport, describe
from cutaway.samples.written import Written, read_samples

__all__ = ["Memorised", "Passage", "SampleReport", "Written", "describe", "memorised", "open_corpus", "read_samples"]
