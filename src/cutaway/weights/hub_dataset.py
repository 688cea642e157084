"""Text of a dataset on the Hugging Face Hub, in the files that are stored there: nothing of it is executed."""

import fnmatch
import glob
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self

from cutaway.data.source_file import kind_and_compression
from cutaway.errors import CheckpointError, DataError
from cutaway.weights.hub import plain_errors, why_unreachable

ADDRESS = re.compile(r"(?P<hub_id>[\w.-]{1,96}/[\w.-]{1,96})(@(?P<revision>[\w.-]{1,256}))?(/(?P<part>.{1,1024}))?")
KIND = "dataset"


@dataclass(frozen=True, kw_only=True)
class Address:
    """What is asked for: all of a dataset's text, or the files that a pattern or a word stands for."""

    hub_id: str
    revision: str | None = None
    part: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that is written as `owner/name`, `owner/name@revision/train` or `owner/name/data/*.parquet`.

        Raises: DataError for anything else.
        """
        found = ADDRESS.fullmatch(text)
        if not found:
            raise DataError(
                f"hub:{text} is no dataset; write hub:owner/name, hub:owner/name@revision or hub:owner/name/train"
            )
        return cls(**found.groupdict())

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hub:{self.hub_id}{revision}{f'/{self.part}' if self.part else ''}"

    def has(self, file: str) -> bool:
        """Whether a file of the dataset is meant: text, and with a part, one whose path fits it or has it as a word.

        A file that is named in full is taken whatever its name. One that would lie outside the dataset is not.
        """
        if ".." in PurePath(file).parts or PurePath(file).is_absolute():
            return False
        if file == self.part or kind_and_compression(Path(file))[0] is None:
            return file == self.part
        if self.part is None:
            return True
        word = rf"(?<![A-Za-z0-9]){re.escape(self.part)}(?![A-Za-z0-9])"
        return fnmatch.fnmatchcase(file, self.part) or re.search(word, file) is not None


def fetch_dataset(text: str) -> list[tuple[Path, str]]:
    """Fetch the files of a dataset that are not in the local cache yet; where each is, and a name of its origin.

    An interrupted download goes on where it stopped. The names hold the commit, so that other data is noticed.

    Raises: DataError when the Hub cannot be reached, has no such dataset, or it has no text.
    """
    from huggingface_hub import HfApi, snapshot_download

    address = Address.parse(text)
    if reason := why_unreachable():
        raise DataError(unreachable(address, reason))
    with data_errors(address):
        info = HfApi().dataset_info(address.hub_id, revision=address.revision)
        commit = str(info.sha)
        every = [sibling.rfilename for sibling in info.siblings or ()]
        files = chosen(address, every)
        folder = snapshot_download(
            address.hub_id, repo_type=KIND, revision=commit, allow_patterns=[glob.escape(file) for file in files]
        )
    return [(Path(folder, file), f"hub:{address.hub_id}@{commit}/{file}") for file in files]


def chosen(address: Address, every: Sequence[str]) -> list[str]:
    """The files that are meant, in order.

    Raises: DataError when there are none, or of several kinds: these usually hold the same text twice.
    """
    files = sorted(filter(address.has, every))
    if not files:
        names = ", ".join(sorted(every)[:8]) or "nothing"
        raise DataError(f"{address} has no text, JSON Lines, CSV or Parquet; the dataset holds {names}")
    kinds = Counter(str(kind_and_compression(Path(file))[0]) for file in files)
    if len(kinds) > 1:
        found = " and ".join(f"{count} of {kind}" for kind, count in kinds.items())
        raise DataError(
            f"{address} has files of several kinds ({found}), perhaps the same text twice; say which, "
            f"such as 'hub:{address.hub_id}/{files[0]}' or 'hub:{address.hub_id}/*{Path(files[0]).suffix}'"
        )
    return files


@contextmanager
def data_errors(address: Address) -> Iterator[None]:
    """The library's errors in one sentence each, as faults of the data."""
    try:
        with plain_errors(address.hub_id, address.revision, KIND):
            yield
    except CheckpointError as error:
        raise DataError(str(error)) from None


def unreachable(address: Address, reason: str) -> str:
    """The sentence that says what would help; an earlier download is named, for a folder is a source, too."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE, f"datasets--{address.hub_id.replace('/', '--')}", "snapshots")
    earlier = next(iter(sorted(folder.iterdir())), None) if folder.is_dir() else None
    instead = f"its folder from an earlier download, {earlier}" if earlier else "a folder that holds its files"
    return f"{address} cannot be fetched: {reason}; connect, or give {instead}"
