"""Safetensors headers: what a file says about its tensors, checked before a byte is used.

A file is an 8-byte little-endian header length, a JSON header that gives each tensor's dtype,
shape and byte range, and the bytes. The format allows neither overlaps nor holes.
Source: https://huggingface.co/docs/safetensors, format.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stages.errors import CheckpointError

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
_MAX_DEPTH = 100  # levels of objects in objects; configs of transformers have at most 6
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
        header = _object(text, is_strict=True)
        _check_metadata(header.pop("__metadata__", None))
        entries = {name: _entry(path, 8 + length, entry) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
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


def read_json(path: Path, *, is_strict: bool = False) -> dict[str, Any]:
    """Return the JSON object in ``path``; with ``is_strict`` no name is given twice, nor NaN.

    Raises:
        CheckpointError: the file is missing, is not a JSON object, is nested deeper than any
            config, or its text is not Unicode.
    """
    try:
        data = _object(path.read_bytes(), is_strict=is_strict)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file. A model folder needs it.") from error
    except (ValueError, TypeError, RecursionError) as error:
        check_pointer(path)
        raise CheckpointError(f"{path}: not JSON: {_reason(error)}. {_FETCH_AGAIN}") from error
    if _is_deeper(data, _MAX_DEPTH):
        raise CheckpointError(f"{path}: nested deeper than {_MAX_DEPTH} levels. {_FETCH_AGAIN}")
    return data


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
            "repository that it is from, or fetch the model from the hub."
        )


def _object(text: bytes, *, is_strict: bool) -> dict[str, Any]:
    """Return the JSON object in ``text``.

    ``is_strict`` refuses NaN and repeated names, as the safetensors library does. Configs hold
    such things, and transformers reads them.

    Raises:
        ValueError: the text is not UTF-8, not JSON, or holds half of a surrogate pair.
        TypeError: the text is something other than an object.
    """
    plain = text.decode("utf-8")
    hooks: dict[str, Any] = (
        {"object_pairs_hook": _unique, "parse_constant": _refuse} if is_strict else {}
    )
    data = json.loads(plain, **hooks)
    if not isinstance(data, dict):
        raise TypeError(f"it holds a {type(data).__name__}, not an object")
    if "\\ud" in plain or "\\uD" in plain:  # escapes of surrogates: halves are not characters
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r:.80} is there twice")
    return data


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _reason(error: Exception) -> str:
    """Return the reason in plain words: Python's own say little for some errors."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeError):
        return f"it is not UTF-8 text ({error.reason})" if hasattr(error, "reason") else "not text"
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def _is_deeper(data: Any, levels: int) -> bool:
    """Return whether objects and lists are nested in ``data`` deeper than so many levels."""
    layer = [data]
    for _ in range(levels):
        inner = [value.values() if isinstance(value, dict) else value for value in layer]
        layer = [v for values in inner for v in values if isinstance(v, dict | list)]
        if not layer:
            return False
    return True


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("__metadata__ holds something other than texts by name")


def _entry(path: Path, offset: int, entry: Any) -> tuple[TensorInfo, Place]:
    if not isinstance(entry, dict):
        raise TypeError(f"a tensor is {entry!r:.40}, not an object")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r:.40}, known are {', '.join(DTYPES)}")
    if not _are_whole(shape) or min(shape, default=0) < 0:
        raise ValueError(f"shape {shape!r:.80}")
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
