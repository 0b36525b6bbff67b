"""Safetensors headers: what a file says about its tensors, checked before a byte is used.

A file is an 8-byte little-endian header length, a JSON header that gives each tensor's dtype,
shape and byte range, and the bytes. The format allows neither overlaps nor holes.
Source: https://huggingface.co/docs/safetensors, format.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stages import json_text
from stages.errors import CheckpointError
from stages.files import leaving_link, text_in

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}
_MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library
_MAX_DIMENSIONS = 64  # NumPy's limit; tensors of models have at most 5
_MAX_NAME = 1000  # characters: every message about a tensor shows its name
_POINTER = b"version https://git-lfs.github.com/spec/"
_FETCH_AGAIN = "The file is damaged; fetch or save the model again."


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor's header entry; ``dtype`` as safetensors spells it: BF16, F32 and so on."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """The size of the tensor's data in bytes."""
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor's bytes lie: a file and a half-open range in it."""

    path: Path
    start: int
    stop: int


Entries = dict[str, tuple[TensorInfo, Place]]


def read_header(path: Path) -> Entries:
    """Return what one file's header says, by tensor name.

    Raises:
        CheckpointError: the file is truncated or damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _MAX_HEADER_BYTES):
            check_pointer(path)
            raise CheckpointError(
                f"{path}: the header should take {length} bytes, the file has {size}. "
                f"{_FETCH_AGAIN}"
            )
        text = file.read(length)
    try:
        header = _object(text)
        _check_metadata(header.pop("__metadata__", None))
        _check_names(header)
        entries = {name: _entry(path, 8 + length, entry) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path}: the header cannot be read: {_reason(error)}. {_FETCH_AGAIN}"
        ) from error
    _check_ranges(path, entries, 8 + length, size)
    return entries


def lay_out(path: Path, tensors: Mapping[str, TensorInfo]) -> tuple[bytes, dict[str, Place]]:
    """Return the length and header bytes of a file with these tensors, and each one's place.

    Wider dtypes come first, so that every tensor is aligned; then by name.
    """
    order = sorted(tensors, key=lambda name: (-DTYPES[tensors[name].dtype].itemsize, name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        start, end = end, end + tensors[name].num_bytes
        info = tensors[name]
        header[name] = {
            "dtype": info.dtype,
            "shape": list(info.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    offset = 8 + len(text)
    places = {
        name: Place(
            path,
            offset + header[name]["data_offsets"][0],
            offset + header[name]["data_offsets"][1],
        )
        for name in order
    }
    return len(text).to_bytes(8, "little") + text, places


def shards_of(tensors: Mapping[str, TensorInfo], shard_bytes: int) -> list[list[str]]:
    """Return the names of each shard: by name, a new shard where the next tensor does not fit."""
    shards: list[list[str]] = [[]]
    room = shard_bytes
    for name in sorted(tensors):
        size = tensors[name].num_bytes
        if size > room and shards[-1]:
            shards.append([])
            room = shard_bytes
        shards[-1].append(name)
        room -= size
    return shards


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``; configs may hold infinities, as transformers' do.

    Raises:
        CheckpointError: the file is missing, is not a JSON object, or cannot be read as one.
    """
    try:
        data = json_text.read_json(path, constants=("Infinity", "-Infinity"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file. A model folder needs it.") from error
    except ValueError as error:
        if path.is_file():
            check_pointer(path)
        raise CheckpointError(f"{path}: not JSON: {error}. {_FETCH_AGAIN}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: not JSON: {_not_an_object(data)}. {_FETCH_AGAIN}")
    return data


def check_links(folder: Path) -> None:
    """Check that no link in a model folder brings in a file from elsewhere on this machine.

    Raises:
        CheckpointError: one does.
    """
    link = leaving_link(folder)
    if link is not None:
        raise CheckpointError(
            f"{link}: a link that leads out of {folder}. Nothing from elsewhere is read or copied "
            "into a child: put a copy of the file there, or remove the link."
        )


def check_pointer(path: Path) -> None:
    """Check that a file is not a pointer that git keeps in its place where git-lfs has it.

    Raises:
        CheckpointError: the file is a pointer of git-lfs.
    """
    with path.open("rb") as file:
        is_pointer = file.read(len(_POINTER)) == _POINTER
    if is_pointer:
        raise CheckpointError(
            f"{path}: a pointer of git-lfs, not the file itself. Run `git lfs pull` in the "
            "repository that the folder is from. If the hub sent it, it was pushed there in the "
            "file's place: name another revision (ORG/NAME@REVISION), or ask the model's owner."
        )


def _object(text: bytes) -> dict[str, Any]:
    """Return the JSON object in a header, which holds no NaN and no name twice.

    Raises:
        ValueError: it is not JSON.
        TypeError: it is something other than an object.
    """
    data = json_text.json_in(text_in(text))
    if not isinstance(data, dict):
        raise TypeError(_not_an_object(data))
    return data


def _not_an_object(data: object) -> str:
    """Return what a file holds that should hold an object."""
    kind = "null" if data is None else f"a {type(data).__name__}"
    return f"it holds {kind}, not an object"


def _reason(error: Exception) -> str:
    """Return the reason in plain words."""
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("__metadata__ holds something other than texts by name")


def _check_names(names: Iterable[str]) -> None:
    longest = max(names, key=len, default="")
    if len(longest) > _MAX_NAME:
        raise ValueError(f"a name of {len(longest)} characters, {longest:.20}...")


def _entry(path: Path, offset: int, entry: Any) -> tuple[TensorInfo, Place]:
    if not isinstance(entry, dict):
        raise TypeError(f"a tensor is {entry!r:.40}, not an object")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r:.40}, known are {', '.join(DTYPES)}")
    if not _are_whole(shape) or min(shape, default=0) < 0:
        raise ValueError(f"shape {shape!r:.80}")
    if len(shape) > _MAX_DIMENSIONS:
        raise ValueError(f"a shape of {len(shape)} dimensions")
    if math.prod(size or 1 for size in shape) >= 1 << 63:  # the strides would overflow
        raise ValueError(f"shape {shape!r:.80}")
    info = TensorInfo(dtype, tuple(shape))
    if not _are_whole(offsets) or len(offsets) != 2:
        raise ValueError(f"data_offsets {offsets!r:.80}, not two whole numbers")
    start, stop = offsets
    if stop - start != info.num_bytes:
        raise ValueError(f"bytes {start} to {stop} for {dtype} {shape}")
    return info, Place(path, offset + start, offset + stop)


def _are_whole(value: Any) -> bool:
    """Return whether this is a list of whole numbers; True and False are not numbers."""
    return isinstance(value, list) and all(type(number) is int for number in value)


def _check_ranges(path: Path, entries: Entries, offset: int, size: int) -> None:
    end = offset
    for name, (_, span) in sorted(
        entries.items(), key=lambda item: (item[1][1].start, item[1][1].stop)
    ):
        if span.start != end:
            kind = "overlaps the tensor before it" if span.start < end else "leaves a hole"
            raise CheckpointError(
                f"{path}: {name} starts at byte {span.start} and {kind}, which ends at byte "
                f"{end}. {_FETCH_AGAIN}"
            )
        end = span.stop
    if end != size:
        raise CheckpointError(
            f"{path}: the tensors end at byte {end}, the file has {size}. {_FETCH_AGAIN}"
        )
