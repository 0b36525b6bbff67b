"""Which files hold a model's weights: one file, or the shards that an index names.

One rule for safetensors and for pickled ``.bin`` files, for folders and for hub repositories: the
first of four files decides, as in transformers. A shard may have any name that the index gives; a
file that looks like a shard and is not in the index is never read.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from stages.checkpoint.safetensors_header import INDEX, SINGLE, Entries, read_header, read_json
from stages.errors import CheckpointError

PICKLED = "pytorch_model.bin"
PICKLED_INDEX = "pytorch_model.bin.index.json"
FIRST = (SINGLE, INDEX, PICKLED, PICKLED_INDEX)  # the order of transformers
_AGAIN = "Fetch or save the model again."
_SHARD = re.compile(r"(?s:.+)-\d+-of-\d+\.(safetensors|bin)")


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """The weight files of one model, by name; ``places`` gives each tensor's shard by the index.

    ``first`` is the single file or the index. A single file has no ``places``. ``strays`` look
    like its shards but are not.
    """

    first: str
    places: Mapping[str, str]
    strays: tuple[str, ...] = ()

    @property
    def is_pickled(self) -> bool:
        """Whether the weights are pickled, not safetensors."""
        return self.first in (PICKLED, PICKLED_INDEX)

    @property
    def shards(self) -> tuple[str, ...]:
        """The files that hold tensors, sorted."""
        return tuple(sorted({*self.places.values()})) or (self.first,)

    @property
    def names(self) -> tuple[str, ...]:
        """All files, the index too, sorted."""
        return tuple(sorted({self.first, *self.shards}))

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each file that looks like weights and is not read."""
        why = f"{self.first} does not name it" if self.places else f"{self.first} is the weights"
        return tuple(f"left out {name}: {why}" for name in self.strays)

    @classmethod
    def of(cls, listed: Collection[str], index: Path | None) -> Self | None:
        """Return the weight files among ``listed``, or None where there are none.

        ``index`` is the file on this machine that ``first_of(listed)`` names, if it is an index.

        Raises:
            CheckpointError: the index is damaged, or a shard that it names is not listed.
        """
        first = first_of(listed)
        if first is None:
            return None
        places = read_places(index) if index is not None else {}
        return cls._found(first, places, listed, index)

    @classmethod
    def in_folder(cls, folder: Path) -> Self | None:
        """Return the weight files of a model folder, or None where it holds none.

        Raises:
            CheckpointError: the index is damaged, or a shard that it names is missing.
        """
        listed = {path.name for path in folder.iterdir() if path.is_file()}
        first = first_of(listed)
        if first is None:
            return None
        index = folder / first if is_index(first) else None
        places = read_places(index) if index is not None else {}
        listed |= {shard for shard in {*places.values()} if (folder / shard).is_file()}
        return cls._found(first, places, listed, index)

    @classmethod
    def _found(
        cls, first: str, places: Mapping[str, str], listed: Collection[str], index: Path | None
    ) -> Self:
        used = {*places.values()}
        missing = sorted(used - {*listed})
        if missing:
            others = f", as are {len(missing) - 1} others" if len(missing) > 1 else ""
            raise CheckpointError(
                f"{index}: the shard {missing[0]} is missing{others}. Fetch the rest of the model."
            )
        kind = first.removesuffix(".index.json").rpartition(".")[2]
        strays = (n for n in orphans(listed) if "/" not in n and n not in used)
        return cls(first, places, tuple(n for n in strays if n.endswith(f".{kind}")))

    def check_places(self, index: str, tensors: Mapping[str, Iterable[str]]) -> None:
        """Check that each tensor is in the shard that the index gives, and in no other.

        ``tensors`` lists the tensor names in each shard; messages call the index ``index``.

        Raises:
            CheckpointError: a tensor is in two shards, in another one, or in none.
        """
        homes: dict[str, list[str]] = {name: [] for name in self.places}
        for shard in sorted(tensors):
            for name in tensors[shard]:
                homes.setdefault(name, []).append(shard)
        wrong = sorted(n for n, shards in homes.items() if shards != [self.places.get(n)])
        if wrong:
            shards = " and in ".join(homes[wrong[0]]) or "no shard"
            said = self.places.get(wrong[0], "nothing about it")
            others = f", and {len(wrong) - 1} other tensors are wrong" if len(wrong) > 1 else ""
            raise CheckpointError(
                f"{index}: tensor {wrong[0]} is in {shards}, the index says {said}{others}. "
                f"{_AGAIN}"
            )


def first_of(listed: Collection[str]) -> str | None:
    """Return the weight file that transformers reads first among ``listed``; None without any."""
    return next((name for name in FIRST if name in listed), None)


def is_index(name: str) -> bool:
    """Return whether a weight file is the index of others."""
    return name in (INDEX, PICKLED_INDEX)


def orphans(listed: Iterable[str]) -> tuple[str, ...]:
    """Return the names that look like shards, sorted."""
    return tuple(sorted(name for name in listed if _SHARD.fullmatch(name)))


def read_places(index: Path) -> dict[str, str]:
    """Return the ``weight_map`` of an index: the shard of each tensor.

    Raises:
        CheckpointError: the index is damaged, or names a file that is not inside its folder.
    """
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index}: no weight_map. {_AGAIN}")
    for shard in weight_map.values():
        if not _is_inside(shard) or shard == index.name:
            raise CheckpointError(
                f"{index}: names {shard!r}. A shard is a file in this folder. {_AGAIN}"
            )
    return weight_map


def _is_inside(shard: object) -> bool:
    """Return whether a name is that of a file in the index's folder, spelled in one way."""
    if not isinstance(shard, str) or "\0" in shard or "\\" in shard:
        return False
    path = PurePosixPath(shard)
    is_plain = shard == str(path) and shard != "." and not path.is_absolute()
    return is_plain and ".." not in path.parts


def read_headers(folder: Path) -> Entries:
    """Return what the headers of a model folder's weight files say, by tensor name.

    Raises:
        CheckpointError: there are no safetensors, a shard is missing, or a file is damaged.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder. Give the folder of a model.")
    if (folder / SINGLE).is_file():
        return read_header(folder / SINGLE)
    files = WeightFiles.in_folder(folder)
    if files is None or files.is_pickled:
        raise CheckpointError(_without(folder))
    all_entries: Entries = {}
    tensors = {}
    for shard in files.shards:
        entries = read_header(folder / shard)
        tensors[shard] = tuple(entries)
        all_entries |= entries
    files.check_places(f"{folder / INDEX}", tensors)
    return all_entries


def _without(folder: Path) -> str:
    others = sorted(
        p.name
        for p in folder.iterdir()
        if p.suffix in (".bin", ".pt", ".gguf") or _SHARD.fullmatch(p.name)
    )
    content = f"holds {', '.join(others[:3])}" if others else "holds no weights"
    return (
        f"{folder}: {content}, and neither {SINGLE} nor {INDEX}. germline merges safetensors "
        "only; load the model with transformers and save it with save_pretrained."
    )
