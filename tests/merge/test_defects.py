"""What other engines get wrong: refused by name before a tensor is read, or done right.

Those of MergeKit that are not here have their tests next to what they are defects of:

- SCE's shape, breadcrumbs of small tensors and of gamma 0, TIES of few entries: test_golden.py;
- DELLA's rows of one entry, its epsilon near density 1: test_magprune.py;
- zero vectors, and directions that cancel: test_sphere.py;
- masks and sums that depend on the order of tensors, on threads or on hash seeds: test_laws.py;
- files: a model twice in a slice, the head's place in a gradient, values of a base, every fault
  at once, post-weights of the last slice: config/test_lower.py; numbers in quotes, NaN, filters:
  config/test_document.py;
- zero as a token's source: config/test_vocabulary.py; a token in no model, ids beyond the rows, a
  vocab_size that is not true, padding: tokenizers/test_rows.py, tokenizers/test_recipes.py;
- heads next to tied embeddings, tensors that are dropped, buffers that are merged, names with
  another prefix: architecture/test_tensor_matching.py and, by files, architecture/test_files.py;
- options without effect, keys with typing errors, residual_weight, a bare filtered value, a config
  from a random model, older names of norms: mergekit/test_defects.py;
- stages taken because they exist: tests/flows/cli/test_merge_command.py; adapters and what they
  leave: tests/flows/merging/test_model_cache.py; writes that are not atomic:
  tests/flows/test_interrupted.py.

bakllama and layershuffle have no counterpart: `slices` are what they wrote.
"""

from pathlib import Path
from typing import Any

import pytest
import torch

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError, RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.methods import METHODS
from stages.recipe.recipe import Rule
from tests.merge.conftest import save_tensors
from tests.merge.recipes import VALUES, planned, recipe_of
from tests.merge.strategies import merged

PARENTS = [torch.ones(2, 3), torch.zeros(2, 3)]
TAKE_DENSITY = [n for n, m in METHODS.items() if "density" in {p.name for p in m.spec.parameters}]


def _values(name: str, **other: float) -> dict[str, Any]:
    """Return legal values for a method, and then others."""
    return {**VALUES[name], **other}


@pytest.mark.parametrize("name", TAKE_DENSITY)
@pytest.mark.parametrize("density", [0.0, 1.01, -0.1])
def test_density_outside_its_range_is_refused(name: str, density: float) -> None:
    """A density keeps something, and no more than all: (0, 1] is legal."""
    values = _values(name, density=density)
    with pytest.raises(RecipeError, match=r"density is .* Legal is a number in \(0, 1\]"):
        merged(name, torch.zeros(2, 3), PARENTS, **values)


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("sce", "select_topk", 0.0),
        ("sce", "select_topk", 1.5),
        ("breadcrumbs", "gamma", -0.1),
        ("breadcrumbs_ties", "gamma", 1.1),
        ("della", "epsilon", 0.6),
        ("della_linear", "epsilon", -0.1),
        ("ram", "epsilon", -1.0),
        ("nearswap", "t", -0.1),
        ("karcher", "weight", -1.0),
        ("karcher", "max_iter", 0.5),
        ("nuslerp", "nuslerp_row_wise", 0.5),
        ("model_stock", "filter_wise", 2.0),
        ("iso_c", "normalize", 0.5),
        ("wudi", "weight", -1.0),
        ("wudi", "num_steps", 0.5),
        ("consensus_ta", "agreement", -0.1),
        ("consensus_ta", "num_needing", 1.5),
    ],
)
def test_values_outside_their_range_are_refused(name: str, parameter: str, value: float) -> None:
    """The error names the parameter, what it got and what is legal."""
    with pytest.raises(RecipeError, match=rf"{parameter} is {value:g}.*Legal is"):
        merged(name, torch.zeros(2, 3), PARENTS, **_values(name, **{parameter: value}))


@pytest.mark.parametrize("name", METHODS)
def test_unknown_parameters_are_refused(name: str) -> None:
    """A parameter that a method does not take is an error, not a silence."""
    with pytest.raises(RecipeError, match="unknown parameter 'lamda'"):
        merged(name, torch.zeros(2, 3), PARENTS, **_values(name, lamda=1.0))


@pytest.mark.parametrize("name", ["linear", "multislerp"])
def test_weights_without_a_mean_are_refused(name: str) -> None:
    """Weights 0.5 and -0.5 under normalisation are an error, not a division by zero."""
    with pytest.raises(RecipeError, match=r"sum to 0, so they have no mean"):
        merged(name, None, PARENTS, weight=(0.5, -0.5))
    child = merged(name, None, PARENTS, weight=(0.5, -0.5), normalize=0.0)
    assert torch.isfinite(child).all()


def test_karcher_takes_a_tolerance_of_zero() -> None:
    """Where the mean is found exactly, no step is left to divide by."""
    child = merged("karcher", None, [PARENTS[0], PARENTS[0]], tol=0.0, max_iter=50.0)
    assert torch.allclose(PARENTS[0], child)


@pytest.mark.parametrize("name", METHODS)
def test_children_have_the_dtype_of_the_recipe(name: str, opened: list[Checkpoint]) -> None:
    """No method writes float32 where the recipe says bfloat16."""
    plan = planned(recipe_of(name, opened[0], opened[1:3]), opened[0], opened[1:3])
    assert {torch.bfloat16} == {tensor.dtype for _, tensor in merge(plan)}


@pytest.mark.parametrize("name", METHODS)
def test_unknown_vocabularies_are_refused(name: str, tmp_path: Path) -> None:
    """A longer embedding of a model without a tokenizer is an error before a weight is read."""
    models = [
        save_tensors(tmp_path / str(rows), {"model.embed_tokens.weight": torch.ones(rows, 2)})
        for rows in (3, 4, 5)
    ]
    recipe = recipe_of(name, models[0], models[1:])
    with pytest.raises(CheckpointError, match="nobody knows which tokens its 4 rows stand for"):
        planned(recipe, models[0], models[1:])


def test_heads_take_no_layers_value(tmp_path: Path) -> None:
    """Under rules by layer the embedding and the head have the last rule's value."""
    names = ("model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "lm_head.weight")
    models = [
        save_tensors(
            tmp_path / str(n),
            {name: torch.full((2, 2), n) for name in names},
            '{"num_hidden_layers": 1}',
        )
        for n in (0.0, 8.0)
    ]
    rules = (Rule({"weight": 0.5}, layers=(0, 1)), Rule({"weight": 0.25}))
    recipe = recipe_of("task_arithmetic", models[0], models[1:], rules=rules)
    child = dict(merge(planned(recipe, models[0], models[1:])))
    assert [2.0, 4.0, 2.0] == [float(child[name][0, 0]) for name in names]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_without_a_base_the_first_parent_is_the_frame(
    order: tuple[int, int], opened: list[Checkpoint]
) -> None:
    """Config and architecture come from the parent that the recipe names first, every time."""
    parents = [opened[i] for i in order]
    assert parents[0] is planned(recipe_of("linear", None, parents), None, parents).frame


@pytest.mark.parametrize("name", METHODS)
def test_methods_take_zero_tensors(name: str) -> None:
    """Where the base and the parents are zero, so is the child: nothing is divided by a norm."""
    zero = torch.zeros(3, 4)
    assert torch.equal(zero, merged(name, zero, [zero, zero], **_values(name)))
