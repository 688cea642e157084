"""All checks, in an order in which the first failure says the most."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import torch

from cutaway.anatomy import num_parameters
from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, CutawayError, TokenizerError
from cutaway.model import GPT
from cutaway.native import PRECISIONS
from cutaway.tokenizer import AnyTokenizer
from cutaway.verify.check import Check, failed, passed, skipped
from cutaway.verify.contents import CPU, Contents
from cutaway.verify.diagnosis import diagnosis
from cutaway.verify.files import asked_hashes, file_checks
from cutaway.verify.kernels import kernel_checks
from cutaway.verify.numbers import number_checks
from cutaway.verify.peer import peer_checks
from cutaway.verify.record import record
from cutaway.verify.reference import Reference
from cutaway.verify.tensors import checksum_checks, tensor_checks
from cutaway.verify.tokens import tokenizer_checks
from cutaway.verify.witnesses import TEXT, batched_check, cached_check, float64_check, plain_check
from cutaway.weights.hf_config import read_config
from cutaway.weights.load import read_model
from cutaway.weights.locate import ModelFiles, ModelSource, locate
from cutaway.weights.published import PUBLISHED
from cutaway.weights.tokenizer import load_tokenizer

MOST_TOKENS = 64
"""Of the text that all ways to compute the network read."""
MAX_FLOAT64_BYTES = 16 << 30
"""The largest model that is computed in float64; gpt2-xl takes 12.5 GB."""

Load: TypeAlias = Callable[[ModelFiles, torch.dtype], GPT]


def read(files: ModelFiles, dtype: torch.dtype) -> GPT:
    """The network as the package loads it."""
    return read_model(files, dtype=dtype, device=CPU)


def verify(
    source: ModelSource,
    *,
    reference: Reference | None = None,
    sha256: Sequence[str] = (),
    precisions: Sequence[str] = PRECISIONS,
    load: Load = read,
) -> Iterator[Check]:
    """Check a model's files, tensors, tokenizer and numbers; each result as it comes.

    `reference` holds the numbers to check against; without one it is that of the published model, where `source` is
    the name or Hub id of one. `load` makes the network that is checked, by default as `cutaway.load` does.

    Raises: ModelNotFoundError when there is no such model; ConfigError for a hash that is none.
    """
    files = locate(source)
    reference = reference or published_reference(source)
    yield from file_checks(files, asked_hashes(tuple(sha256), files), reference.files if reference else {})
    try:
        config = read_config(files.folder / "config.json")
        contents = Contents(files)
    except CheckpointError as error:
        yield unreadable(error)
        return
    yield passed("configuration", f"{config.n_layer} layers, {config.n_head} heads, {config.n_embd} channels")
    for check in checksum_checks(contents):
        yield check
        if check.state == "failed":
            yield skipped("tensors and network", "not looked at, for some are damaged")
            return
    broken = False
    for check in tensor_checks(contents, config, reference):
        broken |= check.state == "failed" and check.name in ("shapes", "finite values")
        yield check
    tokenizer, fault = _open_tokenizer(files)
    if fault is not None:
        yield fault
    elif tokenizer is not None:
        yield from tokenizer_checks(tokenizer, config, reference)
    if broken:
        yield skipped("network", "not computed, for its tensors are not all there or not all numbers")
        return
    yield from _network_checks(files, config, contents, tokenizer, reference, precisions, load)


def published_reference(source: ModelSource) -> Reference | None:
    """The numbers of the published model that a name or Hub id means, if it means one."""
    name = str(source).partition("@")[0]
    for short, model in PUBLISHED.items():
        if name == short or name in model.hub_ids:
            return Reference.published(short)
    return None


def make_reference(source: ModelSource, name: str, *, load: Load = read) -> Reference:
    """The reference that a copy of this checkpoint can be verified against.

    Raises: what `verify` raises; CheckpointError when the checkpoint cannot be read.
    """
    files = locate(source)
    tokenizer = load_tokenizer(files.weights)
    model = load(files, torch.float64)
    return record(name, files, Contents(files), model, tokenizer, sample_ids(model.config, tokenizer))


def sample_ids(config: GPTConfig, tokenizer: AnyTokenizer | None) -> list[int]:
    """The ids that every way to compute the network reads: a text, or without a tokenizer numbers of no meaning."""
    most = min(MOST_TOKENS, config.block_size)
    try:
        ids = tokenizer.encode(TEXT)[:most] if tokenizer else []
    except TokenizerError:  # one of characters may lack some
        ids = []
    if not ids or max(ids) >= config.vocab_size:
        ids = [(7 + 1009 * i * i) % config.vocab_size for i in range(most)]
    return ids


def unreadable(error: CheckpointError) -> Check:
    """The failure of a checkpoint that cannot even be opened."""
    truncated = "truncated" in str(error)
    return failed(
        "file headers" if truncated else "configuration",
        expected="files that are whole" if truncated else "a config.json of a GPT-2 and whole files beside it",
        seen=str(error),
        cause="a download that was cut off" if truncated else "another network than GPT-2, or damaged files",
    )


def _open_tokenizer(files: ModelFiles) -> tuple[AnyTokenizer | None, Check | None]:
    """The tokenizer, or what is wrong with it."""
    try:
        return load_tokenizer(files.weights), None
    except CutawayError as error:
        cause = "tokenizer files that were not copied along, or are another model's"
        return None, failed("vocabulary", expected="a tokenizer for this model", seen=str(error), cause=cause)


def _network_checks(
    files: ModelFiles,
    config: GPTConfig,
    contents: Contents,
    tokenizer: AnyTokenizer | None,
    reference: Reference | None,
    precisions: Sequence[str],
    load: Load,
) -> Iterator[Check]:
    try:
        model = load(files, torch.float32)
    except CheckpointError as error:
        cause = "a head that differs from wte though config.json ties them, or damaged files"
        yield failed("network", expected="a checkpoint that loads", seen=str(error), cause=cause)
        return
    if reference:
        yield from _reference_checks(model, config, contents, tokenizer, reference)
    else:
        yield skipped("reference", "no published numbers for this model; --as NAME or --reference FILE gives some")
    needed = 8 * num_parameters(config)
    if needed > MAX_FLOAT64_BYTES:
        yield skipped("float64", f"takes {needed:,} bytes, more than {MAX_FLOAT64_BYTES:,}")
        return
    exact, ids = load(files, torch.float64), sample_ids(config, tokenizer)
    yield float64_check(model, exact, ids)
    yield plain_check(exact, contents, config, ids)
    yield cached_check(exact, ids)
    yield batched_check(exact, ids)
    yield from kernel_checks(files, exact, ids, precisions)
    yield from peer_checks(files, exact, tokenizer, ids)


def _reference_checks(
    model: GPT, config: GPTConfig, contents: Contents, tokenizer: AnyTokenizer | None, reference: Reference
) -> Iterator[Check]:
    wrong = False
    for check in number_checks(model, tokenizer, reference):
        wrong |= check.state == "failed" and check.name.startswith("hidden states")
        yield check
    if wrong:
        yield diagnosis(contents, config, reference)
