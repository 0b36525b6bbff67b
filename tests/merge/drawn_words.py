"""The random words of a parent's tensor, whole, where kernels ask only for what decides."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stages import seeds


def drawn_words(seed: int, weights_hash: str, name: str, shape: Sequence[int]) -> Tensor:
    """Return the uniform 32-bit words by which entries of a parent's tensor are kept."""
    stream, size = seeds.key(seed, weights_hash, name), int(np.prod(shape))
    first = seeds.random_bytes(stream, 0, size).astype(np.int64)
    rest = seeds._rests(stream, np.arange(size)).astype(np.int64)
    return torch.from_numpy((first << 24) + rest).view(tuple(shape))
