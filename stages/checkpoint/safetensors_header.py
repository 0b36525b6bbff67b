"""Safetensors headers: what a file says of its tensors, checked in full before a byte is used.

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
_FETCH_AGAIN = "The file is damaged; fetch or save the model again."


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a header says of a tensor; ``dtype`` as safetensors spells it: BF16, F32 and so on."""

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


def read_headers(folder: Path) -> Entries:
    """Return what the headers of a model folder's weight files say, by tensor name.

    Raises:
        CheckpointError: there are no safetensors, a shard is missing, or a file is damaged.
    """
    if (folder / SINGLE).is_file():
        return read_header(folder / SINGLE)
    if (folder / INDEX).is_file():
        return _read_shards(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder. Give the folder of a model.")
    others = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".gguf"))
    found = f"found {', '.join(others[:3])}" if others else "found no weights"
    raise CheckpointError(
        f"{folder}: {found}, neither {SINGLE} nor {INDEX}. germline reads safetensors only; "
        "load the model in transformers and save_pretrained it."
    )


def read_header(path: Path) -> Entries:
    """Return what one file's header says, by tensor name.

    Raises:
        CheckpointError: the file is truncated or damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _MAX_HEADER_BYTES):
            raise CheckpointError(
                f"{path}: the header should take {length} bytes, the file has {size}. "
                f"{_FETCH_AGAIN}"
            )
        text = file.read(length)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        entries = {name: _entry(path, 8 + length, entry) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: the header cannot be read: {error}. {_FETCH_AGAIN}") from (
            error
        )
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
    """Return the JSON object in ``path``.

    Raises:
        CheckpointError: it is missing, not JSON, or not an object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file. A model folder needs it.") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON: {error}. {_FETCH_AGAIN}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: holds a {type(data).__name__}, not an object.")
    return data


def _read_shards(folder: Path) -> Entries:
    index = folder / INDEX
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index}: no weight_map. {_FETCH_AGAIN}")
    found: Entries = {}
    for shard in sorted(set(weight_map.values())):
        if Path(shard).name != shard:
            raise CheckpointError(f"{index}: names {shard!r}. A shard is a file in this folder.")
        if not (folder / shard).is_file():
            raise CheckpointError(
                f"{index}: the shard {shard} is missing. Fetch the rest of the model."
            )
        found |= read_header(folder / shard)
    wrong = sorted(n for n in {*weight_map, *found} if _home(found, n) != weight_map.get(n))
    if wrong:
        raise CheckpointError(
            f"{index}: {wrong[0]} is in {_home(found, wrong[0])}, the index says "
            f"{weight_map.get(wrong[0])}. {_FETCH_AGAIN}"
        )
    return found


def _home(found: Entries, name: str) -> str | None:
    return found[name][1].path.name if name in found else None


def _entry(path: Path, offset: int, entry: Mapping[str, Any]) -> tuple[TensorInfo, Place]:
    info = TensorInfo(entry["dtype"], tuple(entry["shape"]))
    if info.dtype not in DTYPES:
        raise ValueError(f"dtype {info.dtype!r}, known are {', '.join(DTYPES)}")
    if not all(isinstance(length, int) and length >= 0 for length in info.shape):
        raise ValueError(f"shape {list(info.shape)}")
    if math.prod(length or 1 for length in info.shape) >= 1 << 63:  # the strides would overflow
        raise ValueError(f"shape {list(info.shape)}")
    start, stop = entry["data_offsets"]
    if not (isinstance(start, int) and isinstance(stop, int)) or stop - start != info.num_bytes:
        raise ValueError(f"bytes {start} to {stop} for {info.dtype} {list(info.shape)}")
    return info, Place(path, offset + start, offset + stop)


def _check_ranges(path: Path, entries: Entries, offset: int, size: int) -> None:
    end = offset
    for name, (_, place) in sorted(
        entries.items(), key=lambda item: (item[1][1].start, item[1][1].stop)
    ):
        if place.start != end:
            kind = "overlaps the tensor before it" if place.start < end else "leaves a hole"
            raise CheckpointError(
                f"{path}: {name} starts at byte {place.start} and {kind}, which ends at byte "
                f"{end}. {_FETCH_AGAIN}"
            )
        end = place.stop
    if end != size:
        raise CheckpointError(
            f"{path}: the tensors end at byte {end}, the file has {size}. {_FETCH_AGAIN}"
        )
