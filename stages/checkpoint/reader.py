"""The only reader of a model folder's weights; safetensors_header.py reads the files' headers.

Headers are checked in full when a folder is opened; the bytes are mapped, and read where used.
"""

import hashlib
import mmap
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stages.checkpoint.gc_pause import uncollected
from stages.checkpoint.safetensors_header import (
    DTYPES,
    TensorInfo,
    check_links,
    read_json,
)
from stages.checkpoint.weight_files import read_headers
from stages.errors import CheckpointError
from stages.hashing import weights_hash

__all__ = ["Checkpoint", "TensorInfo", "bytes_of", "digest", "info_of"]

_SPELLING = {dtype: name for name, dtype in DTYPES.items()}


class Checkpoint:
    """The weights and the config of a model folder; opening it checks every header.

    ``tensors`` is sorted by name. Weights are ``model.safetensors`` or the shards that
    ``model.safetensors.index.json`` names; where both exist the single file counts, as in
    transformers.

    Raises:
        CheckpointError: a file is missing, truncated or damaged, or is not safetensors.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        check_links(folder)
        self.config: dict[str, Any] = read_json(folder / "config.json")
        self._maps: dict[tuple[Path, str], Tensor] = {}
        with uncollected():
            entries = read_headers(folder)
            self.tensors: Mapping[str, TensorInfo] = {n: entries[n][0] for n in sorted(entries)}
            self._places = {name: span for name, (_, span) in entries.items()}

    def read(self, name: str) -> Tensor:
        """Return a tensor as a private map of its file: no copy, and writes never reach the disk.

        Raises:
            CheckpointError: the checkpoint holds no tensor of that name.
        """
        if name not in self.tensors:
            raise CheckpointError(f"{self.folder}: no tensor {name!r} in this checkpoint.")
        return self.read_span(name, name).view(self.tensors[name].shape)

    def read_span(self, first: str, last: str) -> Tensor:
        """Return the entries from tensor ``first`` to the end of ``last``, each ``is_next``."""
        start, stop = self._places[first].start, self._places[last].stop
        path, spelled = self._places[first].path, self.tensors[first].dtype
        dtype = DTYPES[spelled]
        if start == stop:
            return torch.empty(0, dtype=dtype)
        if start % dtype.itemsize:  # torch reads whole elements: align a stray tensor
            return self._map(path, "U8")[start:stop].clone().view(dtype)
        return self._map(path, spelled)[start // dtype.itemsize : stop // dtype.itemsize]

    def is_next(self, name: str, other: str) -> bool:
        """Return whether ``other`` is in the file of ``name``, after it, and has its dtype."""
        span, after = self._places[name], self._places[other]
        return (
            span.stop == after.start
            and span.path is after.path  # a file's header makes one path of it
            and self.tensors[name].dtype == self.tensors[other].dtype
        )

    def _map(self, path: Path, dtype: str) -> Tensor:
        """Return a file as a private map of whole elements, from its first byte."""
        if (path, dtype) in self._maps:
            return self._maps[path, dtype]
        if dtype == "U8":
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            elements = torch.frombuffer(mapped, dtype=torch.uint8)
        else:
            data = self._map(path, "U8")
            rest = data.numel() % DTYPES[dtype].itemsize
            elements = data[: data.numel() - rest].view(DTYPES[dtype])
        self._maps[path, dtype] = elements
        return elements

    def hash(self) -> str:
        """Return ``hashing.weights_hash`` of all tensors: the model's identity."""
        return self._hash

    @cached_property
    def _hash(self) -> str:
        return weights_hash(
            {n: (i.dtype, i.shape, digest(self.read(n))) for n, i in self.tensors.items()}
        )


def info_of(tensor: Tensor) -> TensorInfo:
    """Return what a header would say of ``tensor``.

    Raises:
        CheckpointError: safetensors has no such dtype.
    """
    if tensor.dtype not in _SPELLING:
        raise CheckpointError(
            f"tensor of {tensor.dtype}: legal are {', '.join(DTYPES)}. Save it as one of them."
        )
    return TensorInfo(_SPELLING[tensor.dtype], tuple(tensor.shape))


def digest(tensor: Tensor) -> str:
    """Return the SHA-256 (64 hex digits) of a tensor's little-endian bytes in row-major order."""
    return hashlib.sha256(bytes_of(tensor)).hexdigest()


def bytes_of(tensor: Tensor) -> memoryview:
    """Return a tensor's little-endian bytes in row-major order, without a copy if it has them."""
    if sys.byteorder != "little":
        raise CheckpointError("germline writes little-endian weights and runs on such machines.")
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.numel() == 0:
        return memoryview(b"")
    return flat.view(torch.uint8).numpy().data
