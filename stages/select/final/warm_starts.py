"""Warm starts: known recipes as genomes, where a search begins."""

from collections.abc import Mapping, Sequence

from stages.errors import ParamsError
from stages.recipe.recipe import Rule, Value
from stages.select.final.baselines import BASELINES, check_names, usual_settings
from stages.select.space.layers.hops import hops_of
from stages.select.space.space import Genome, Space
from stages.select.space.weight_ratios import by_ratio


def warm_starts(names: Sequence[str], space: Space) -> dict[str, Genome]:
    """Return the genomes nearest to the recipes that ``names`` lists, by source.

    ``parents`` stands for one genome for each parent alone. Of genomes that decode to one merge
    the first is kept. Where the space has the recipe, its start is that recipe; elsewhere it is
    the nearest point.

    Raises:
        ParamsError: a name is neither in ``BASELINES`` nor ``parents``, or a parent has it.
    """
    check_names(space.parent_names)
    genomes: dict[str, Genome] = {}
    seen = []
    for source, (method, values) in _sources(names, space.parent_names).items():
        if not space.methods and source not in space.parent_names:
            raise ParamsError(
                f"params.yaml: select.warm_start: {source} is a merge, and select.space.methods "
                "is []. Paths start at parents; take it out, or list a method."
            )
        genome = _along_parent(source, space) or space.encode(method, (Rule(values),))
        merge = (by_ratio(*space.decode(genome)), space.path(genome))
        if merge not in seen:
            seen.append(merge)
            genomes[source] = genome
    return genomes


def _along_parent(source: str, space: Space) -> Genome | None:
    """Return the genome nearest to a parent's own path; None where the pool lacks it."""
    if space.layers is None or source not in space.layers.pool:
        return None
    model = space.layers.pool.index(source)
    return space.near_path(hops_of(model, 0, space.layers.num_layers))


def _sources(
    names: Sequence[str], parent_names: Sequence[str]
) -> dict[str, tuple[str, Mapping[str, Value]]]:
    count = len(parent_names)
    settings: dict[str, tuple[str, Mapping[str, Value]]] = {}
    for name in names:
        if name == "parents":
            for index, parent in enumerate(parent_names):
                weights = tuple(float(i == index) for i in range(count))
                settings[parent] = ("linear", {"weight": weights})
        elif name in BASELINES:
            settings[name] = usual_settings(name, count)
        else:
            raise ParamsError(
                f"params.yaml: select.warm_start: unknown start {name!r}. Legal here: "
                f"{', '.join(BASELINES)}, parents."
            )
    return settings
