"""The JSON objects beside and inside weight files: read with suspicion, since anybody may have written them."""

import json
from pathlib import Path
from typing import Any

from cutaway.errors import CheckpointError

MAX_BYTES = 16 << 20
"""GPT-2 XL's largest JSON file has 50 kB; a thousand layers need 3 MB."""


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises: CheckpointError when the file is missing, unreadable, too large, or holds no JSON object.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CheckpointError(f"there is no {file}; a model folder needs config.json beside its weights") from None
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise CheckpointError(
            f"{file} is larger than {MAX_BYTES >> 20} MiB; no GPT-2 has such a file, so it is not read"
        )
    return parse_object(content, str(file))


def parse_object(content: bytes, source: str) -> dict[str, Any]:
    """The JSON object that the bytes spell; `source` names them in errors.

    Raises: CheckpointError when they spell something else, or a key twice.
    """
    try:
        value = json.loads(content.decode(), object_pairs_hook=lambda pairs: _without_repeats(pairs, source))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{source} is not valid JSON ({error}); fetch it again") from None
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{source} holds a JSON {type(value).__name__}, not an object; it is not a checkpoint's file"
        )
    return value


def _without_repeats(pairs: list[tuple[str, Any]], source: str) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise CheckpointError(f"{source} names {key!r} twice; it is damaged, fetch it again")
        content[key] = value
    return content
