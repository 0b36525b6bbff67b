"""The champion and the baselines that are paths, hop by hop and in words: plain data."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from stages.lineage.selection import EntryKind, Selection
from stages.recipe.recipe import Recipe
from stages.report.candidates.layer_sources import PathLayer, hops_of_recipe, stream_scale_of

_KINDS: tuple[EntryKind, ...] = ("champion", "tuned", "baseline")


@dataclass(frozen=True, slots=True)
class PicturedPath:
    """A model of the test split whose layers come from several places, and its path in words."""

    name: str
    kind: EntryKind
    path: tuple[PathLayer, ...]
    words: str


def pictured_paths(selection: Selection) -> tuple[PicturedPath, ...]:
    """Return the champion and the baselines that are paths, the champion first."""
    entries = [entry for kind in _KINDS for entry in selection.of_kind(kind) if entry.recipe]
    pictures = []
    for entry in entries:
        recipe = Recipe.from_dict(entry.recipe or {})
        path = tuple(hops_of_recipe(recipe))
        if path:
            words = in_words(path, stream_scale_of(recipe))
            pictures.append(PicturedPath(entry.name, entry.kind, path, words))
    return tuple(pictures)


def in_words(path: Sequence[PathLayer], stream_scale: float = 1.0) -> str:
    """Return a path as a list of runs of layers, with their gains where they are not 1.

    ``layers 0 to 3: math 0 to 3; 4 to 5: spanish 2 to 3, attention 0.5``. ``stream_scale`` is said
    where it is not 1.
    """
    runs = []
    for _, group in groupby(path, key=_run_of):
        hops = list(group)
        first, last = hops[0], hops[-1]
        sources = " + ".join(
            f"{name} {_span(layer, end)}"
            for (name, layer), (_, end) in zip(first.sources, last.sources, strict=True)
        )
        gains = _gains(first)
        runs.append(f"{_span(first.layer, last.layer)}: {sources}{gains and f', {gains}'}")
    scaled = "" if stream_scale == 1.0 else f"the stream times {stream_scale:.3g}, then "
    return f"{scaled}layers {'; '.join(runs)}" if runs else ""


def gains_in_brief(hop: PathLayer) -> str:
    """Return the gains of a hop for a chart, nothing where both are 1: ``att 0.50, MLP 2.00``."""
    if (hop.attention_gain, hop.mlp_gain) == (1.0, 1.0):
        return ""
    if hop.attention_gain == hop.mlp_gain:
        return f"both {hop.mlp_gain:.2f}"
    return f"att {hop.attention_gain:.2f}, MLP {hop.mlp_gain:.2f}"


def _gains(hop: PathLayer) -> str:
    if hop.attention_gain == hop.mlp_gain:
        return "" if hop.mlp_gain == 1.0 else f"gain {hop.mlp_gain:.3g}"
    named = (("attention", hop.attention_gain), ("MLP", hop.mlp_gain))
    return ", ".join(f"{branch} {gain:.3g}" for branch, gain in named if gain != 1.0)


def _run_of(hop: PathLayer) -> tuple[object, ...]:
    """Return what consecutive layers of one ancestor with the same gains have in common."""
    steps = tuple((name, layer - hop.layer) for name, layer in hop.sources)
    return steps, hop.attention_gain, hop.mlp_gain


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
