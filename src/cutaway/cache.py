"""Keys and values of the tokens already read, so that each new token costs one position, not all of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cutaway.config import GPTConfig
from cutaway.errors import GenerationError


class KVCache:
    """The keys and values of every layer, for a batch whose rows may differ in length.

    Row b holds `lengths[b]` tokens at positions 0, 1, 2, …; what lies beyond is unwritten or left over, and the
    attention mask hides it. A batch of unequal prompts is therefore padded on the right, read in one go, and
    `truncate` then forgets the padding.

    Shapes: `keys`, `values` (L, B, H, S, D) with room for S tokens a row.
    """

    def __init__(
        self,
        config: GPTConfig,
        batch_size: int,
        max_tokens: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if not 1 <= max_tokens <= config.block_size:
            raise GenerationError(
                f"a cache for {max_tokens:,} tokens does not suit a context of {config.block_size:,}; "
                f"ask for 1 to {config.block_size:,}"
            )
        if batch_size < 1:
            raise GenerationError(f"a cache of {batch_size} rows holds nothing; ask for 1 or more")
        shape = (config.n_layer, batch_size, config.n_head, max_tokens, config.head_size)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.lengths = [0] * batch_size

    @property
    def max_tokens(self) -> int:
        """Room for tokens in each row (S at most)."""
        return self.keys.shape[3]

    @property
    def kv_bytes(self) -> int:
        """Bytes held by keys and values together."""
        return 2 * self.keys.numel() * self.keys.element_size()

    def positions(self, new_tokens: int) -> Tensor:
        """Where the next `new_tokens` tokens of each row will stand.

        Shapes: -> (B, T)

        Raises: GenerationError when a row has no room for them.
        """
        longest = max(self.lengths) + new_tokens
        if longest > self.max_tokens:
            raise GenerationError(f"{longest:,} tokens do not fit a cache of {self.max_tokens:,}")
        start = torch.tensor(self.lengths, device=self.keys.device)
        return start[:, None] + torch.arange(new_tokens, device=self.keys.device)

    def append(self, layer: int, positions: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values and return them with all earlier ones.

        Shapes: positions (B, T); k, v (B, H, T, D) -> (B, H, S, D), S up to the longest row.
        """
        rows = torch.arange(len(self.lengths), device=positions.device)[:, None]
        keys, values = self.keys[layer], self.values[layer]
        # Indexing rows and positions at once moves them to the front: (B, T, H, D).
        keys[rows, :, positions] = k.transpose(1, 2)
        values[rows, :, positions] = v.transpose(1, 2)
        S = max(self.lengths) + positions.shape[1]
        return keys[:, :, :S], values[:, :, :S]

    def advance(self, new_tokens: int) -> None:
        """Count the tokens just read, once every layer has stored them."""
        self.lengths = [length + new_tokens for length in self.lengths]

    def truncate(self, lengths: Sequence[int]) -> None:
        """Forget all but the first `lengths[b]` tokens of each row b: padding, or a rejected guess.

        Raises: GenerationError when a row holds fewer.
        """
        shorter = len(lengths) == len(self.lengths) and all(
            0 <= new <= old for new, old in zip(lengths, self.lengths, strict=True)
        )
        if not shorter:
            raise GenerationError(f"a cache with rows of {self.lengths} tokens cannot be cut to {list(lengths)}")
        self.lengths = list(lengths)

    def put(self, rows: Sequence[int], part: "KVCache") -> None:
        """Replace some rows by those of another cache with as much room: a part of this one that was read on apart."""
        index = torch.tensor(rows, device=self.keys.device)
        self.keys[:, index], self.values[:, index] = part.keys, part.values
        for row, length in zip(rows, part.lengths, strict=True):
            self.lengths[row] = length

    def select(self, rows: Sequence[int]) -> None:
        """Make row i a copy of the old row `rows[i]`: repeat it for samples, reorder beams, drop the finished.

        Raises: GenerationError when there is no such row, or no row at all.
        """
        if not rows or not all(0 <= row < len(self.lengths) for row in rows):
            raise GenerationError(f"cannot select rows {list(rows)} from a cache of {len(self.lengths)}; count from 0")
        index = torch.tensor(rows, device=self.keys.device)
        self.keys, self.values = self.keys.index_select(1, index), self.values.index_select(1, index)
        self.lengths = [self.lengths[row] for row in rows]
