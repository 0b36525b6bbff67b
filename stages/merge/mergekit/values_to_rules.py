"""The fewest rules that give each tensor its values: constants, runs of layers, parts of names."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.hashing import canonical_json
from stages.recipe.recipe import Rule, Value

_Cell = tuple[int, str, int | None]  # the parts that match (a bit each), the module, the layer


@dataclass(frozen=True, slots=True)
class Valued:
    """A tensor of the child that rules know by ``key``, and the values that it is to have."""

    key: str
    module: str
    layer: int | None
    values: Mapping[str, Value]


def rules_of(tensors: Sequence[Valued], filters: Iterable[str], main: Sequence[str]) -> list[Rule]:
    """Return rules whose first match gives each tensor its values.

    ``filters`` are the parts of names by which a document tells tensors apart: those that tell
    nothing are dropped, and where they do not suffice tensors are named in full. Tensors that the
    same parts match share their rules; those of more parts come first, so that the first match is
    the right one. ``main`` are the modules whose layers rules count without naming them.
    """
    return _Rules(tensors, filters, main).rules()


class _Rules:
    """Tensors in cells: one value for all tensors of equal parts, module and layer."""

    def __init__(
        self, tensors: Sequence[Valued], filters: Iterable[str], main: Sequence[str]
    ) -> None:
        self._tensors = tensors
        self._main = main
        self._texts = [canonical_json(_plain(tensor.values)) for tensor in tensors]
        self._values = dict(zip(self._texts, (t.values for t in tensors), strict=True))
        keys = {tensor.key for tensor in tensors}
        parts = sorted({f for f in filters if f not in keys and any(f in key for key in keys)})
        self._parts: list[str] = []
        self._masks: list[int] = []
        self._has_modules = False
        self._tell_apart(parts)
        while (fewer := self._without_one(parts)) is not None:
            parts = fewer

    def _without_one(self, parts: Sequence[str]) -> list[str] | None:
        """Return the parts without one that is not worth it: as few parts and names do, too."""
        count = len(self._parts)
        for part in parts:
            fewer = [other for other in parts if other != part]
            if self._tell_apart(fewer, most=count):
                return fewer
        self._tell_apart(parts)
        return None

    def _tell_apart(self, parts: Sequence[str], most: int | None = None) -> bool:
        """Find the cells of the tensors by these parts, and by names where they do not suffice.

        Return False, half-way, where that takes more than ``most`` parts and names.
        """
        self._parts, self._masks, self._has_modules = [], [0] * len(self._tensors), False
        for part in parts:
            self._add(part)
        has_several = len({tensor.module for tensor in self._tensors}) > 1
        self._has_modules = has_several and not self._is_told()
        while not self._is_told():
            for name in self._unlike():
                if most is not None and len(self._parts) >= most:
                    return False
                self._add(name)
        return True

    def rules(self) -> list[Rule]:
        cells = {cell: self._texts[i] for i, cell in enumerate(self._cells())}
        groups: dict[tuple[int, str], dict[int | None, str]] = {}
        for (mask, module, layer), text in cells.items():
            groups.setdefault((mask, module), {})[layer] = text
        named = [(self._named(mask), module, texts) for (mask, module), texts in groups.items()]
        named.sort(key=lambda group: (-len(group[0]), group[0], group[1]))
        return [
            Rule(self._values[text], layers=layers, module=module or None, parts=parts)
            for parts, module, texts in named
            for layers, text in _runs(texts)
        ]

    def _add(self, part: str) -> None:
        if part in self._parts:
            return
        bit = 1 << len(self._parts)
        self._parts.append(part)
        for index, tensor in enumerate(self._tensors):
            if part in tensor.key:
                self._masks[index] |= bit

    def _named(self, mask: int) -> tuple[str, ...]:
        return tuple(sorted(p for index, p in enumerate(self._parts) if mask >> index & 1))

    def _cells(self) -> list[_Cell]:
        """Return the cell of each tensor; without module conditions only main layers count."""
        if self._has_modules:
            pairs = zip(self._masks, self._tensors, strict=True)
            return [(mask, tensor.module, tensor.layer) for mask, tensor in pairs]
        return [
            (mask, "", tensor.layer if tensor.module in self._main else None)
            for mask, tensor in zip(self._masks, self._tensors, strict=True)
        ]

    def _is_told(self) -> bool:
        """Return whether the tensors of each cell have one value."""
        seen: dict[_Cell, str] = {}
        pairs = zip(self._cells(), self._texts, strict=True)
        return all(seen.setdefault(cell, text) == text for cell, text in pairs)

    def _unlike(self) -> list[str]:
        """Return the names of tensors that have other values than most of their cell."""
        counts: dict[_Cell, Counter[str]] = {}
        cells = self._cells()
        for cell, text in zip(cells, self._texts, strict=True):
            counts.setdefault(cell, Counter())[text] += 1
        usual = {cell: max(sorted(c), key=c.__getitem__) for cell, c in counts.items()}
        pairs = zip(self._tensors, cells, self._texts, strict=True)
        names = sorted({tensor.key for tensor, cell, text in pairs if text != usual[cell]})
        return [name for name in names if name not in self._parts] or sorted(
            {tensor.key for tensor in self._tensors}
        )


def _runs(texts: Mapping[int | None, str]) -> list[tuple[tuple[int, int] | None, str]]:
    """Return (layers, values) of one group: runs of equal layers, then what is outside them."""
    if len({*texts.values()}) == 1:
        return [(None, next(iter(texts.values())))]
    layers = sorted(layer for layer in texts if layer is not None)
    starts = [n for i, n in enumerate(layers) if not i or texts[n] != texts[layers[i - 1]]]
    stops = [*starts[1:], layers[-1] + 1]
    runs: list[tuple[tuple[int, int] | None, str]] = [
        ((start, stop), texts[start]) for start, stop in zip(starts, stops, strict=True)
    ]
    return [*runs, (None, texts[None])] if None in texts else runs


def _plain(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
