"""What a scan tried before the search, as maps: one cut between two models, repeats of a block."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stages.lineage.rows import SCAN, Row, finished
from stages.recipe.recipe import MERGE
from stages.report.candidates.layer_sources import PathLayer, hops_of_recipe


@dataclass(frozen=True, slots=True)
class ScannedModel:
    """A model of the pool as it is: a parent, or the merge in the middle of the space."""

    name: str
    model: str
    fitness: float


@dataclass(frozen=True, slots=True)
class ScannedSplice:
    """Layers below ``cut`` of ``first``, then those from there on of ``second``.

    ``ended``: it answered as many items as any, so that its fitness may be compared.
    """

    name: str
    first: str
    second: str
    cut: int
    fitness: float
    stderr: float
    ended: bool


@dataclass(frozen=True, slots=True)
class ScannedRepeat:
    """``length`` layers of ``model`` from ``start`` on, run twice; ``damped``: with gains."""

    name: str
    model: str
    start: int
    length: int
    damped: bool
    fitness: float
    stderr: float
    ended: bool


@dataclass(frozen=True, slots=True)
class ScanStory:
    """A scan, and the best of it in words; nothing where a search had none."""

    whole: tuple[ScannedModel, ...] = ()
    splices: tuple[ScannedSplice, ...] = ()
    repeats: tuple[ScannedRepeat, ...] = ()
    best: str = ""

    @property
    def models(self) -> tuple[str, ...]:
        """The models whose blocks were repeated."""
        return tuple(dict.fromkeys(one.model for one in self.repeats))

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest fitness of its maps."""
        values = [one.fitness for one in self.splices] + [one.fitness for one in self.repeats]
        return min(values, default=0.0), max(values, default=1.0)


def scan_story(rows: Sequence[Row]) -> ScanStory:
    """Return the scan among the rows of a search; candidates that failed are left out."""
    scanned = [row for row in rows if row.generation == SCAN and row.fitness is not None]
    ends = {row.name for row in finished(scanned)}
    whole, splices, repeats = [], [], []
    for row in scanned:
        path = list(hops_of_recipe(row.recipe))
        fitness, stderr = row.fitness or 0.0, row.fitness_stderr or 0.0
        ended = row.name in ends
        if not path:
            whole.append(ScannedModel(row.name, " and ".join(_models_of(row)), fitness))
            continue
        cut = next(i for i, (a, b) in enumerate(pairwise(path), start=1) if not _goes_on(a, b))
        (first, _), (second, start) = path[0].sources[0], path[cut].sources[0]
        if first != second:
            splices.append(ScannedSplice(row.name, first, second, cut, fitness, stderr, ended))
        else:
            # Layers of one branch have no gain of the other.
            damped = (path[cut].attention_gain, path[cut].mlp_gain) != (1.0, 1.0)
            repeats.append(
                ScannedRepeat(row.name, first, start, cut - start, damped, fitness, stderr, ended)
            )
    return ScanStory(tuple(whole), tuple(splices), tuple(repeats), _best(scanned, ends))


def _goes_on(hop: PathLayer, after: PathLayer) -> bool:
    """Return whether a layer is the next one of the same model."""
    (name, layer), (next_name, next_layer) = hop.sources[0], after.sources[0]
    return (name, layer + 1) == (next_name, next_layer)


def _best(scanned: Sequence[Row], ends: set[str]) -> str:
    """Return the best path of the scan and the best whole model in it, in sentences."""
    ended = [row for row in scanned if row.name in ends]
    if not ended:
        return ""
    ordered = sorted(ended, key=lambda row: -(row.fitness or 0.0))
    path = next((row for row in ordered if row.recipe.layers), None)
    whole = next((row for row in ordered if not row.recipe.layers), None)
    best = (("path", path), ("whole model", whole))
    parts = [f"the best {kind} is {_named(row)}" for kind, row in best if row is not None]
    said = f"Of {len(scanned)} that were tried, {' and '.join(parts)}."
    if any(MERGE in _models_of(row) for row in scanned):
        said += f" “{MERGE}” has every weight in the middle of its range."
    return said


def _named(row: Row) -> str:
    fitness, error = row.fitness or 0.0, row.fitness_stderr or 0.0
    return f"{row.name} ({' and '.join(_models_of(row))}), {fitness:.3f} ± {error:.3f}"


def _models_of(row: Row) -> Sequence[str]:
    """Return the models that a scanned path goes through; a whole merge is one."""
    hops = hops_of_recipe(row.recipe)
    names = tuple(dict.fromkeys(hop.sources[0][0] for hop in hops))
    return names or (row.ancestors if len(row.ancestors) == 1 else (MERGE,))
