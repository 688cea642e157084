"""From text to token shards to batches.

Read in this order: `source_file`, `fragments`, `pieces`, `split`, `unit`, `shard`, `prepare`, `manifest`; then
`tokens`, `token_folder`, `permutation`, `batches`.
"""

from cutaway.data.batches import Batch, Batches, SequentialBatches
from cutaway.data.job import Job, PrepareSettings, Share, all_pieces
from cutaway.data.manifest import Manifest
from cutaway.data.prepare import Progress, merge, prepare
from cutaway.data.report import Report, make_report
from cutaway.data.source_file import Corpus, find, spool
from cutaway.data.token_folder import TokenFolder
from cutaway.data.tokens import Tokens

__all__ = [
    "Batch",
    "Batches",
    "Corpus",
    "Job",
    "Manifest",
    "PrepareSettings",
    "Progress",
    "Report",
    "SequentialBatches",
    "Share",
    "TokenFolder",
    "Tokens",
    "all_pieces",
    "find",
    "make_report",
    "merge",
    "prepare",
    "spool",
]
