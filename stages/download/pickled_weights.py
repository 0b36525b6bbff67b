"""Read pickled PyTorch weights safely, for repositories that hold no safetensors."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor

from stages.checkpoint.reader import info_of
from stages.checkpoint.safetensors_header import check_pointer
from stages.checkpoint.weight_files import WeightFiles
from stages.errors import CheckpointError, at, words_of

_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
# Buffers that old releases of transformers saved and new ones compute.
_COMPUTED = ("rotary_emb.inv_freq", "attn.masked_bias")


def read_pickled(folder: Path, files: WeightFiles) -> dict[str, Tensor]:
    """Return the tensors of pickled weights, each from the shard that the index gives.

    The files cannot run code here.

    Raises:
        CheckpointError: a file is damaged, or holds something other than named tensors; or a
            tensor is in another shard than the index says, or in two.
    """
    shards = {name: read_file(folder / name) for name in files.shards}
    if files.places:
        files.check_places(str(files.first), shards)
    return {name: tensor for tensors in shards.values() for name, tensor in tensors.items()}


def read_file(path: Path) -> dict[str, Tensor]:
    """Return the tensors of one pickled file.

    Raises:
        CheckpointError: the file is damaged, or holds something other than named tensors.
    """
    data = _load(path)
    if not isinstance(data, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in data.items()
    ):
        raise CheckpointError(
            f"{path.name} holds more than named tensors. Save the model's state_dict as "
            "safetensors."
        )
    with at(path.name):
        for name, tensor in data.items():
            _check_plain(name, tensor)
    return data


def plain(
    tensors: Mapping[str, Tensor], *, tied: bool
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return what transformers would save of ``tensors`` today, and notes on what was left out.

    Left out are buffers that the model computes, and, where the config ties it to the
    embedding, an output head that shares the embedding's memory.
    """
    kept = {name: t for name, t in tensors.items() if not name.endswith(_COMPUTED)}
    places: dict[tuple[int, tuple[int, ...]], str] = {}
    for name in sorted(kept, key=lambda n: (n.startswith("lm_head"), n)):
        memory = (kept[name].data_ptr(), tuple(kept[name].shape))
        if tied and memory in places and name == "lm_head.weight":
            del kept[name]
        places[memory] = name
    notes = ["converted from pickled weights"]
    notes += [f"left out {name}" for name in sorted({*tensors} - {*kept})]
    return {name: t.detach().contiguous() for name, t in kept.items()}, tuple(notes)


def _check_plain(name: str, tensor: Tensor) -> None:
    """Check that safetensors can hold a tensor under its name."""
    fault = None
    try:
        name.encode("utf-8")
        info_of(tensor)
    except (UnicodeEncodeError, CheckpointError) as error:
        fault = f"{words_of(error)}."
    if tensor.layout != torch.strided or tensor.is_meta:
        fault = f"it is sparse, or has no data ({tensor.layout}, {tensor.device})."
    if fault:
        with at(f"tensor {name!r}"):
            raise CheckpointError(f"{fault} Save the model's state_dict as safetensors.")


def _load(path: Path) -> Any:
    for is_mapped in (True, False):  # files of before PyTorch 1.6 cannot be mapped
        try:
            with catch_warnings():
                simplefilter(
                    "ignore"
                )  # torch's warnings on old formats are for the file's authors
                return torch.load(  # noqa: TID251 -- weights_only: unpickles tensors, no more
                    path, map_location="cpu", weights_only=True, mmap=is_mapped
                )
        except Exception as error:  # a damaged pickle can raise anything
            if not is_mapped or not isinstance(error, RuntimeError):
                raise _damaged(path, error) from error
    raise TypeError("unreachable: the second attempt returns or raises")


def _damaged(path: Path, error: Exception) -> CheckpointError:
    """Return the error for a damaged file, without torch's advice to trust the file."""
    try:
        check_pointer(path)
    except CheckpointError as fault:
        return CheckpointError(str(fault).removeprefix(f"{path.parent}/"))
    asked = _GLOBAL.search(str(error))
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    if asked:
        first = f"it asks for {asked[1]}, which is not a tensor"
    elif "weights_only" in str(error):
        first = "it holds more than tensors, or is damaged"
    return CheckpointError(
        f"{path.name} cannot be read as plain weights: {first.rstrip('.')}. "
        "Use a copy in safetensors."
    )
