"""Spaces of paths for tests, and paths in one line of text."""

from collections.abc import Mapping

from stages.merge.methods import METHODS
from stages.params.merge_params import MergeParams
from stages.params.space.space_params import SpaceParams
from stages.recipe.model_size import ModelSize
from stages.recipe.recipe import Model, Recipe
from stages.select.space.layers.hops import Hop
from stages.select.space.space import Genome, Space

SPECS = {name: method.spec for name, method in METHODS.items()}
NAMES = ("a", "b", "c")
BASE = Model("base", "0" * 64)
MODELS = tuple(Model(name, name * 64) for name in NAMES)


def paths(
    encoding: str,
    *,
    parents: int = 2,
    layers: int = 6,
    methods: tuple[str, ...] = (),
    size: ModelSize | None = None,
    **keys: object,
) -> Space:
    """Return a space of paths through the parents a, b, ...; with methods, of their merge too."""
    params = {"methods": list(methods), "layers": {"encoding": encoding, **keys}}
    return Space(
        SpaceParams.model_validate(params),
        specs=SPECS,
        num_parents=parents,
        num_layers=layers,
        parent_names=NAMES[:parents],
        size=size,
    )


def genome_of(space: Space, values: Mapping[str, float | str]) -> Genome:
    """Return the genome with these values; the others are at the middle."""
    numbers = []
    for gene in space.genes:
        value = values.get(gene.name)
        if isinstance(value, int | float) and not gene.is_binned:
            numbers.append(float(value))
        else:
            number = gene.number_of(value) if value is not None else None
            numbers.append((gene.low + gene.high) / 2 if number is None else number)
    assert set(values) <= {gene.name for gene in (*space.genes, *space.fixed)}
    return space.round(numbers)


def text(space: Space, path: tuple[Hop, ...]) -> str:
    """Return a path as ``a0 a1 b2*0.5``: models, layers, and gains that are not 1."""
    pool = space.layers.pool if space.layers else ()
    return " ".join(f"{pool[hop.model]}{hop.layer}{_gains(hop)}" for hop in path)


def _gains(hop: Hop) -> str:
    first, second = hop.gains
    if first == second:
        return "" if first == 1 else f"*{first:g}"
    return f"*{first:g}/{second:g}"


def path_of(space: Space, **values: float | str) -> str:
    """Return the path of the genome with these values; ``__`` stands for a dot in a name."""
    given = {name.replace("__", "."): value for name, value in values.items()}
    return text(space, space.path(genome_of(space, given)))


def recipe_of(space: Space, genome: Genome) -> Recipe:
    """Return the recipe of a genome on the models of the test."""
    parents = MODELS[: space.num_parents]
    return space.make_recipe(genome, base=BASE, parents=parents, merge=MergeParams())
