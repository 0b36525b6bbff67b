"""The only writer of a model folder's weights: every offset is known before the first byte."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor

from stages.checkpoint.disk import send_to_disk, sync, write_at
from stages.checkpoint.gc_pause import uncollected
from stages.checkpoint.reader import bytes_of, info_of
from stages.checkpoint.safetensors_header import (
    INDEX,
    SINGLE,
    Place,
    TensorInfo,
    lay_out,
    shards_of,
)
from stages.checkpoint.staging_folder import claim, publish
from stages.errors import CheckpointError

_SENT_BYTES = 1 << 20  # a tensor's bytes go to the disk in pieces of about this size


class CheckpointWriter:
    """Writes ``tensors`` into the folder ``out``, which appears whole or not at all.

    Every offset is known up front, so tensors may be added in any order and the bytes depend on
    the tensors and ``shard_bytes`` alone. ``folder`` is the folder while it is being written:
    other files put there appear with it.

    Raises:
        CheckpointError: ``out`` is already there and not empty.
    """

    def __init__(self, out: Path, tensors: Mapping[str, TensorInfo], *, shard_bytes: int) -> None:
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise CheckpointError(f"{out}: already there. Remove it, or write to another folder.")
        self._out = out
        self._tensors = dict(sorted(tensors.items()))
        self._missing = set(tensors)
        self._files: dict[Path, int] = {}
        self._places: dict[str, Place] = {}
        self._shard_bytes = shard_bytes
        self.folder = out  # until it is entered
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.folder, self._lock = claim(self._out)
        try:
            with uncollected():
                self._allocate()
        except BaseException:
            self._discard()
            raise
        return self

    def add(self, name: str, tensor: Tensor) -> None:
        """Write one tensor at its offset.

        Raises:
            CheckpointError: the tensor was not announced, was added before, or has another dtype
                or shape than announced.
        """
        self._check_missing(name)
        info = self._tensors[name]
        got = info_of(tensor)
        if got != info:
            raise CheckpointError(
                f"{self._out}: tensor {name} is {got.dtype} {list(got.shape)}, but was announced "
                f"as {info.dtype} {list(info.shape)}. Give the tensor that was announced."
            )
        span = self._places[name]
        write_at(self._files[span.path], bytes_of(tensor), span.start)
        self._missing.remove(name)

    def add_parts(self, name: str, parts: Iterable[tuple[int, memoryview]]) -> str:
        """Write one tensor from (offset, bytes) in order; return the SHA-256 of its bytes.

        Threads may add different tensors at once.

        Raises:
            CheckpointError: the tensor was not announced, was added before, or has another size.
        """
        self._check_missing(name)
        span, sha256 = self._places[name], hashlib.sha256()
        descriptor, size, started = self._files[span.path], 0, 0
        for offset, data in parts:
            sha256.update(data)
            write_at(descriptor, data, span.start + offset)
            size += len(data)
            if size - started >= _SENT_BYTES:
                send_to_disk(descriptor, span.start + started, size - started)
                started = size
        self._check_size(f"tensor {name} has", size, span.stop - span.start)
        self._missing.remove(name)
        return sha256.hexdigest()

    def add_run(self, names: Sequence[str], data: memoryview) -> dict[str, str]:
        """Write tensors whose bytes follow one another in ``data``; return the SHA-256 of each.

        Tensors that are adjacent in a file are written in one call; threads may add others.

        Raises:
            CheckpointError: a tensor was not announced or was added before, or ``data`` has
                another size than all of them.
        """
        for name in names:
            self._check_missing(name)
        places = [self._places[name] for name in names]
        announced = sum(span.stop - span.start for span in places)
        self._check_size(f"tensors from {names[0]} have", len(data), announced)
        digests, start, sent = {}, 0, 0
        for name, span, after in zip(names, places, [*places[1:], None], strict=True):
            stop = start + span.stop - span.start
            digests[name] = hashlib.sha256(data[start:stop]).hexdigest()
            start = stop
            if after is None or (after.path, after.start) != (span.path, span.stop):
                write_at(self._files[span.path], data[sent:stop], span.stop - (stop - sent))
                sent = stop
        self._missing.difference_update(names)
        return digests

    def _check_missing(self, name: str) -> None:
        if name not in self._missing:
            fault = "was added before" if name in self._tensors else "was not announced"
            raise CheckpointError(f"{self._out}: tensor {name} {fault}. Add each tensor once.")

    def _check_size(self, what: str, size: int, announced: int) -> None:
        if size != announced:
            message = f"{what} {size} bytes, but {announced} were announced. Give all of them."
            raise CheckpointError(f"{self._out}: {message}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._discard()

    def _allocate(self) -> None:
        shards = shards_of(self._tensors, self._shard_bytes)
        count = len(shards)
        names = [f"model-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)]
        for shard, file_name in zip(shards, names if count > 1 else [SINGLE], strict=True):
            path = self.folder / file_name
            header, places = lay_out(path, {n: self._tensors[n] for n in shard})
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            self._files[path] = descriptor
            self._places |= places
            os.ftruncate(descriptor, max((p.stop for p in places.values()), default=len(header)))
            write_at(descriptor, memoryview(header), 0)
        if count > 1:
            weight_map = {name: self._places[name].path.name for name in self._tensors}
            total = sum(info.num_bytes for info in self._tensors.values())
            index = {"metadata": {"total_size": total}, "weight_map": weight_map}
            text = json.dumps(index, indent=2, sort_keys=True) + "\n"
            (self.folder / INDEX).write_text(text, encoding="utf-8")

    def _publish(self) -> None:
        if self._missing:
            raise CheckpointError(
                f"{self._out}: {len(self._missing)} of {len(self._tensors)} tensors were not "
                f"added, first {min(self._missing)}. Add every announced tensor."
            )
        for path in sorted(self.folder.rglob("*")):
            sync(path)
        sync(self.folder)
        try:
            publish(self.folder, self._out)
        except FileExistsError as error:
            raise CheckpointError(
                f"{self._out}: another process wrote there meanwhile. Remove that, or write "
                "to another folder."
            ) from error
        sync(self._out.parent)

    def _discard(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files = {}
        if self._lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = None
