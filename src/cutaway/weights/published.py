"""The GPT-2 checkpoints on the Hugging Face Hub that go by a short name."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """Where a published model is, and how much there is to download."""

    hub_ids: tuple[str, ...]
    """Its id on the Hub today, then the one it had before; a local cache may hold either."""
    download_bytes: int
    """The size of its `model.safetensors`."""


PUBLISHED: Mapping[str, PublishedModel] = {
    "gpt2": PublishedModel(hub_ids=("openai-community/gpt2", "gpt2"), download_bytes=548_105_171),
    "gpt2-medium": PublishedModel(
        hub_ids=("openai-community/gpt2-medium", "gpt2-medium"), download_bytes=1_519_984_962
    ),
    "gpt2-large": PublishedModel(hub_ids=("openai-community/gpt2-large", "gpt2-large"), download_bytes=3_247_159_078),
    "gpt2-xl": PublishedModel(hub_ids=("openai-community/gpt2-xl", "gpt2-xl"), download_bytes=6_431_829_964),
    "distilgpt2": PublishedModel(hub_ids=("distilbert/distilgpt2", "distilgpt2"), download_bytes=352_824_413),
}
