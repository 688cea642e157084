"""The Hugging Face Hub: the local cache first, then the network. The one door to `huggingface_hub`.

The library brings resumed downloads, progress bars, mirrors (`HF_ENDPOINT`), tokens and a cache shared with other
programs. What it lacks is a quick answer without a network, where it tries five times over 24 seconds.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cutaway.errors import CheckpointError, ModelNotFoundError
from cutaway.weights.shards import find_weights, shard_files

CONFIG_AND_TOKENIZER = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)
SAFETENSORS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
LEGACY = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin")

PATIENCE_S = 0.8
"""How long to wait for the Hub to pick up, unless `HF_HUB_ETAG_TIMEOUT` says otherwise."""


def cached(hub_id: str, revision: str | None = None) -> Path | None:
    """The folder of a model that is wholly in the local cache, or None. Never uses the network."""
    from huggingface_hub import try_to_load_from_cache

    with plain_errors(hub_id, revision):
        config = try_to_load_from_cache(hub_id, "config.json", revision=revision)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if _is_whole(folder) else None


def download(hub_id: str, revision: str | None = None) -> Path:
    """Fetch a model into the cache, with a progress bar on stderr, and return its folder.

    An interrupted download goes on where it stopped.

    Raises: ModelNotFoundError when the Hub cannot be reached or has no such model or revision;
        CheckpointError when the download fails or the model has no weights that can be loaded.
    """
    if reason := why_unreachable():
        raise _unreachable(hub_id, reason)
    folder = _fetch(hub_id, revision, [*CONFIG_AND_TOKENIZER, *SAFETENSORS])
    if not _is_whole(folder):
        folder = _fetch(hub_id, revision, [*CONFIG_AND_TOKENIZER, *LEGACY])
    find_weights(folder)
    return folder


def cached_models() -> Iterator[tuple[str, Path, int]]:
    """Id, folder and size in bytes of each model in the local cache; one id may have several revisions."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except (CacheNotFound, OSError):
        return
    for repo in sorted(repos, key=lambda repo: repo.repo_id):
        for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash):
            if repo.repo_type == "model" and _is_whole(revision.snapshot_path):
                yield repo.repo_id, revision.snapshot_path, revision.size_on_disk


def _is_whole(folder: Path) -> bool:
    try:
        return (folder / "config.json").is_file() and bool(shard_files(find_weights(folder)))
    except CheckpointError:
        return False


def _fetch(hub_id: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    with plain_errors(hub_id, revision):
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=patterns))


@contextmanager
def plain_errors(hub_id: str, revision: str | None, kind: str = "model") -> Iterator[None]:
    """The library's errors in one sentence each, without addresses or tokens; `kind` is what was asked for.

    Raises: ModelNotFoundError when there is no such thing; CheckpointError when a download fails.
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError:
        raise ModelNotFoundError(f"{hub_id!r} cannot be a {kind} on the Hub; an id looks like owner/name") from None
    except errors.GatedRepoError:
        help_text = "ask there for access, then run `hf auth login`"
        raise ModelNotFoundError(f"the Hub shows {hub_id} to approved users only; {help_text}") from None
    except errors.RepositoryNotFoundError:
        raise ModelNotFoundError(
            f"the Hub has no {kind} {hub_id!r}, or it is private and `hf auth login` would help"
        ) from None
    except errors.RevisionNotFoundError:
        help_text = "give a branch, a tag or a full commit hash"
        raise ModelNotFoundError(f"the {kind} {hub_id!r} has no revision {revision!r}; {help_text}") from None
    except errors.LocalEntryNotFoundError:
        raise _unreachable(hub_id, "the Hub stopped answering") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no"
        raise CheckpointError(f"the Hub answered {hub_id} with status {status}; try again later") from None
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # its HTTP library's, whichever it has
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise CheckpointError(
            f"the download of {hub_id} stopped ({reason}); the same command goes on from there"
        ) from None


def why_unreachable() -> str | None:
    """What keeps this machine from the Hub; None when it answers."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE forbids the network"
    # The library's own default of 10 s is too long to find out that a laptop is on a train.
    asked_s = constants.HF_HUB_ETAG_TIMEOUT
    patience_s = PATIENCE_S if asked_s == constants.DEFAULT_ETAG_TIMEOUT else asked_s
    if not _answers(constants.ENDPOINT, patience_s):
        return f"{constants.ENDPOINT} cannot be reached (HF_HUB_ETAG_TIMEOUT={patience_s:g} s)"
    return None


def _unreachable(hub_id: str, reason: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"{hub_id} is not in the local cache and {reason}; connect once to fetch it, give a folder that holds it, "
        "or use the bundled model 'fable'"
    )


def _answers(endpoint: str, patience_s: float) -> bool:
    """Whether a connection to the endpoint, or to the proxy that leads there, opens in time."""
    import socket  # for the network only, and slow to import

    try:
        hop = _first_hop(endpoint)  # before the clock runs, which is for the network
    except ValueError:  # not a port
        return False
    answers: list[bool] = []

    def connect() -> None:
        with suppress(OSError, ValueError):  # ValueError: not a host name
            socket.create_connection(hop, timeout=patience_s).close()
            answers.append(True)

    # A thread, because looking up a name has no time limit of its own.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(patience_s)
    return bool(answers)


def _first_hop(endpoint: str) -> tuple[str, int]:
    """Host and port that a connection to the endpoint is opened to."""
    import urllib.request  # likewise

    address = urllib.parse.urlsplit(endpoint)
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
        address = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
