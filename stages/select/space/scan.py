"""Paths that are tried before any search: few cuts, and repeats of the middle.

One cut between two fine-tunes of one base holds most of what longer paths reach, and repeats pay
in the middle of deep models (docs/search.md): to try all of them costs less than to search.
"""

import math
from collections.abc import Iterator
from itertools import permutations

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.recipe.recipe import MERGE
from stages.select.space.layers.hops import Hop, hops_of
from stages.select.space.space import Genome, Space

MIDDLE = (0.2, 0.8)  # of the depth: where blocks are repeated
DAMPED = (0.5, 0.5)  # gains of each of two passes


def check_scan(params: SelectParams, num_starts: int) -> None:
    """Check that there are paths to scan, and places for the winners in generation 0.

    Raises:
        ParamsError: there are none.
    """
    scan = params.scan
    if scan.budget and params.space.layers is None:
        raise ParamsError(
            f"params.yaml: select.scan.budget is {scan.budget}, and select.space.layers is not "
            "given. A scan tries paths; give layers, or set budget to 0."
        )
    if "starts" in scan.model_fields_set and scan.starts > scan.budget > 0:
        raise ParamsError(
            f"params.yaml: select.scan.starts is {scan.starts}, and budget {scan.budget}: there "
            f"are as many starts as evaluations, at most. Give {scan.budget} or fewer, or raise "
            "budget."
        )
    if scan.budget and num_starts + scan.starts > params.population:
        raise ParamsError(
            f"params.yaml: select.scan.starts is {scan.starts} and select.warm_start gives "
            f"{num_starts}, select.population is {params.population}. Lower one of the two, or "
            f"raise the population to {num_starts + scan.starts} or more."
        )


def check_paths(params: SelectParams, space: Space) -> None:
    """Check that the encoding can say something that a scan tries.

    Raises:
        ParamsError: it can say none of that.
    """
    if params.scan.budget and space.layers is not None and not scanned(space, 1):
        raise ParamsError(
            f"params.yaml: select.scan.budget is {params.scan.budget}, and the paths of "
            "select.space.layers are none that a scan tries: whole models, one cut between two "
            "parents, or a repeated block. Set budget to 0, or widen the space."
        )


def scanned(space: Space, budget: int) -> dict[Genome, tuple[str, ...]]:
    """Return at most ``budget`` genomes, in order, with the parents that their paths run through.

    Whole models come first, then every one-cut splice of every ordered pair of parents, then
    repeats of blocks in the middle, plain and damped. A merge in the pool is the one in the middle
    of the space. What the encoding cannot say is left out. Where there are more, those after the
    whole models are taken at equal distances.
    """
    if space.layers is None or budget == 0:
        return {}
    genomes: dict[tuple[Hop, ...], Genome] = {}
    for path in _paths(space):
        genome = space.near_path(path)
        if genome is not None and space.path(genome) == path:
            genomes.setdefault(path, genome)
    whole = {hops for hops in genomes if len({hop.model for hop in hops}) == 1 and _is_whole(hops)}
    first = [path for path in genomes if path in whole][:budget]
    rest = [path for path in genomes if path not in whole]
    room = min(budget - len(first), len(rest))
    taken = [*first, *(rest[i * len(rest) // room] for i in range(room))]
    return {genomes[path]: _parents_on(path, space) for path in taken}


def _parents_on(path: tuple[Hop, ...], space: Space) -> tuple[str, ...]:
    """Return the parents of a path in the order of its hops; a merge is of all of them."""
    names = [space.layers.pool[hop.model] for hop in path] if space.layers else []
    if MERGE in names:
        return space.parent_names
    return tuple(dict.fromkeys(names))


def _is_whole(path: tuple[Hop, ...]) -> bool:
    return [hop.layer for hop in path] == [*range(len(path))]


def _paths(space: Space) -> Iterator[tuple[Hop, ...]]:
    """Yield the paths of a scan, the simplest first."""
    if space.layers is None:
        return
    depth = space.layers.num_layers
    models = range(len(space.layers.pool))
    parents = [i for i in models if space.layers.pool[i] in space.parent_names]
    for model in models:
        yield tuple(hops_of(model, 0, depth))
    for cut in range(1, depth):
        for first, second in permutations(parents, 2):
            yield (*hops_of(first, 0, cut), *hops_of(second, cut, depth))
    low, high = math.floor(MIDDLE[0] * depth), math.ceil(MIDDLE[1] * depth)
    for length in range(1, high - low + 1):
        for start in range(low, high - length + 1):
            for model in models:
                yield from _repeats(model, start, start + length, depth)


def _repeats(model: int, start: int, stop: int, depth: int) -> Iterator[tuple[Hop, ...]]:
    """Yield a block run twice, plain and damped."""
    for gains in ((1.0, 1.0), DAMPED):
        block = hops_of(model, start, stop, gains)
        rest = hops_of(model, stop, depth)
        yield (*hops_of(model, 0, start), *block, *block, *rest)
