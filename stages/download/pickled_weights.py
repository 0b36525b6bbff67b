"""Pickled PyTorch weights to tensors: for repositories that hold nothing better."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 -- only to name what torch.load raises
from typing import Any

import torch
from torch import Tensor

from stages.errors import CheckpointError

# Buffers that old releases of transformers saved and new ones compute.
_COMPUTED = ("rotary_emb.inv_freq", "attn.masked_bias")


def read_pickled(folder: Path, names: Sequence[str], *, where: str) -> dict[str, Tensor]:
    """Return the tensors of the pickled files ``names``, which cannot run code here.

    Raises:
        CheckpointError: a file is damaged, or holds something other than named tensors.
    """
    found: dict[str, Tensor] = {}
    for name in names:
        data = _load(folder / name, where)
        if not isinstance(data, dict) or not all(isinstance(t, Tensor) for t in data.values()):
            raise CheckpointError(
                f"{where}: {name} holds more than named tensors. Save the model's state_dict as "
                "safetensors."
            )
        found |= data
    return found


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
        place = (kept[name].data_ptr(), tuple(kept[name].shape))
        if tied and place in places and name == "lm_head.weight":
            del kept[name]
        places[place] = name
    notes = ["converted from pickled weights"]
    notes += [f"left out {name}" for name in sorted({*tensors} - {*kept})]
    return {name: t.detach().contiguous() for name, t in kept.items()}, tuple(notes)


def _load(path: Path, where: str) -> Any:
    for mapped in (True, False):  # files of before PyTorch 1.6 cannot be mapped
        try:
            return torch.load(  # noqa: TID251 -- weights_only: unpickles tensors and nothing else
                path, map_location="cpu", weights_only=True, mmap=mapped
            )
        except RuntimeError as error:
            if not mapped:
                raise _damaged(path, where, error) from error
        except (UnpicklingError, EOFError, OSError) as error:
            raise _damaged(path, where, error) from error
    raise TypeError("unreachable: the second attempt returns or raises")


def _damaged(path: Path, where: str, error: Exception) -> CheckpointError:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CheckpointError(
        f"{where}: {path.name} cannot be read as plain weights: {first}. "
        "Use a copy in safetensors."
    )
