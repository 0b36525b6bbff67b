"""The kinds of search side by side: from no search at all to the run's own; plain data.

Each is chosen without the test items, except the best parent and the best fixed recipe, which are
the best on these very items: that favours them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from stages.params.space.space_params import Half
from stages.report.comparisons import Lead, ModelFigures, Rival, best_of_kind

_HALVES: tuple[Half, ...] = get_args(Half)
_TUNED = {
    "sweep": "sweep of one factor for all parents",
    "random": "random draws in the space",
    "parameters": "search in parameters alone",
    "layers": "search in layers alone",
}


@dataclass(frozen=True, slots=True)
class SearchKind:
    """The best model that a kind of search gave, and the champion's lead over it.

    ``num_evaluations``: how many recipes were tried on the search items. ``half`` is given for a
    search in one half of the space. ``lead`` is None for the champion, the run's own search.
    """

    kind: str
    name: str
    num_evaluations: int
    fitness: float
    stderr: float
    lead: Lead | None
    half: Half | None = None


def search_kinds(
    models: tuple[ModelFigures, ...], halves: Sequence[Half], confidence: float
) -> tuple[SearchKind, ...]:
    """Return the kinds of search of a run, its own last; ``halves`` are what it searched.

    p-values over the best of several are as in ``best_of_kind``.
    """
    parent = best_of_kind(models, "parent", confidence)
    recipe = best_of_kind(models, "baseline", confidence)
    best = (("best parent", parent), ("best fixed recipe", recipe))
    kinds = [_of_rival(kind, rival) for kind, rival in best if rival is not None]
    for model in models:
        if model.kind == "tuned":
            half = next((one for one in _HALVES if one == model.name), None)
            kinds.append(_of_model(_TUNED.get(model.name, model.name), model, half))
    return (*kinds, _of_model(f"search in {' and '.join(halves)}", models[0]))


def _of_rival(kind: str, rival: Rival) -> SearchKind:
    return SearchKind(kind, rival.name, 0, rival.fitness, rival.stderr, rival.lead)


def _of_model(kind: str, model: ModelFigures, half: Half | None = None) -> SearchKind:
    return SearchKind(
        kind,
        model.name,
        model.num_evaluations or 0,
        model.fitness,
        model.stderr,
        model.lead,
        half,
    )
