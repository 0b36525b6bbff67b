"""Fixed recipes at their usual settings: what a search must beat.

uniform          Wortsman et al. 2022, "Model soups", arXiv:2203.05482: the plain average.
task_arithmetic  weight 0.4 for every parent: what Yadav et al. 2023 (arXiv:2306.01708) take for
                 Ilharco et al. 2023 (arXiv:2212.04089) when no validation data is used.
ties             density 0.2 and scale 1, the setting of Yadav et al. 2023 without validation data;
                 their disjoint mean is ``normalize`` 1 with equal weights.
dare_ties        Yu et al. 2024 (arXiv:2311.03099) drop at random, rescale and then merge as TIES
                 does; density 0.5 is the usual choice, the rest as for ties.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from stages.errors import ParamsError
from stages.lineage.rows import is_row_name
from stages.params.merge_params import MergeParams
from stages.recipe.canonical import canonical
from stages.recipe.method_spec import MethodSpec
from stages.recipe.recipe import Model, Recipe, Rule, Value

BASELINES = ("uniform", "task_arithmetic", "ties", "dare_ties")
# Not legal as names of parents.
RESERVED = (
    *(*BASELINES, "sweep", "random", "parameters", "layers"),
    *("base", "champion", "mean", "parents"),
)
Kind = Literal["parent", "baseline", "tuned", "base"]


@dataclass(frozen=True, slots=True)
class FixedModel:
    """A model that the champion is compared with on the test split.

    ``num_evaluations``: how many recipes a tuned baseline tried on the search items.
    """

    name: str
    kind: Kind
    recipe: Recipe
    num_evaluations: int | None = None


def baselines(
    *, base: Model, parents: tuple[Model, ...], merge: MergeParams, specs: Mapping[str, MethodSpec]
) -> dict[str, Recipe]:
    """Return the fixed merges of ``parents`` by name, in the order of ``BASELINES``."""
    recipes = {}
    for name in BASELINES:
        method, values = usual_settings(name, len(parents))
        recipe = fixed_recipe(method, parents, values, base, merge)
        recipes[name] = canonical(recipe, specs.__getitem__)
    return recipes


def references(
    *, base: Model, parents: tuple[Model, ...], merge: MergeParams, specs: Mapping[str, MethodSpec]
) -> tuple[FixedModel, ...]:
    """Return the base, each parent alone and the baselines, as recipes.

    A model alone is a passthrough of it: its own weights in the recipe's dtype. Where the child's
    tokens are not simply the base's, the recipe names all models: all add to the vocabulary.

    Raises:
        ParamsError: a parent has the name of a baseline.
    """
    check_names([parent.name for parent in parents])

    def alone(model: Model) -> Recipe:
        named = (model,) if merge.tokenizer == "base" else parents
        recipe = fixed_recipe("passthrough", named, {}, base, merge)
        only = replace(recipe, parents=(recipe.ancestors.index(model),))
        return canonical(only, specs.__getitem__)

    fixed = baselines(base=base, parents=parents, merge=merge, specs=specs)
    return (
        FixedModel("base", "base", alone(base)),
        *(FixedModel(parent.name, "parent", alone(parent)) for parent in parents),
        *(FixedModel(name, "baseline", recipe) for name, recipe in fixed.items()),
    )


def check_names(parent_names: Sequence[str], reference_names: Sequence[str] = ()) -> None:
    """Check that no parent or reference has the name of another row of the results.

    Raises:
        ParamsError: one has.
    """
    rows = [name for name in (*parent_names, *reference_names) if is_row_name(name)]
    if rows:
        raise ParamsError(
            f"params.yaml: a model is called {rows[0]!r}, as candidates are. Give the parent or "
            "reference another name."
        )
    for name in reference_names:
        if name in (*RESERVED, *parent_names):
            raise ParamsError(
                f"params.yaml: evaluate.references: {name!r} is the name of another model of "
                "the results. Give the reference another name."
            )
    taken = [name for name in parent_names if name in RESERVED]
    if taken:
        raise ParamsError(
            f"params.yaml: download.parents: a parent is called {taken[0]!r}. The results use "
            f"{', '.join(RESERVED)} for models of their own; give the parent another name."
        )


def fixed_recipe(
    method: str,
    parents: tuple[Model, ...],
    values: Mapping[str, Value],
    base: Model,
    merge: MergeParams,
) -> Recipe:
    """Return the merge of ``parents`` by ``method``, with the same ``values`` for all tensors."""
    return Recipe.of_models(
        method,
        parents,
        (Rule(values),),
        base,
        dtype=merge.dtype,
        tokenizer=merge.tokenizer,
        seed=merge.seed,
        modules=merge.modules,
    )


def usual_settings(name: str, num_parents: int) -> tuple[str, dict[str, Value]]:
    """Return the method and the values of a baseline."""
    ones = (1.0,) * num_parents
    if name == "uniform":
        return "linear", {"weight": (1.0 / num_parents,) * num_parents, "normalize": 1.0}
    if name == "task_arithmetic":
        return name, {"weight": (0.4,) * num_parents, "scale": 1.0, "normalize": 0.0}
    density = 0.2 if name == "ties" else 0.5
    return name, {
        "weight": ones,
        "density": (density,) * num_parents,
        "scale": 1.0,
        "normalize": 1.0,
    }
