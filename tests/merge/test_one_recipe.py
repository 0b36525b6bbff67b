"""One merge, one id, one weights hash: as a MergeKit file, as a recipe's JSON, as a candidate."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stages.checkpoint.reader import Checkpoint
from stages.merge.methods import METHODS
from stages.merge.outputs.merged_model import MergedModel, OpenAncestors
from stages.merge.outputs.model_folder import hash_weights, write_model
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.params.merge_params import MergeParams
from stages.params.space.space_params import SpaceParams
from stages.recipe.canonical import canonical
from stages.recipe.method_spec import MethodSpec
from stages.recipe.recipe import Model, NestedRecipe, Recipe, Rule
from stages.select.space.space import Space
from tests.merge.mergekit.llamas import translated
from tests.merge.recipes import model_of

HEAD = "base_model: $base\nmodels: [{model: $one}, {model: $two}]\n"
ALL = "{model: $%s, layer_range: [%d, %d]}"
DOCUMENTS = {
    "linear": "merge_method: linear\nmodels: [{model: $one}, {model: $two}]\n"
    "parameters: {weight: 0.5}",
    "ties": f"merge_method: ties\n{HEAD}parameters: {{weight: 0.5, density: 0.3}}\n"
    "dtype: bfloat16",
    "random": f"merge_method: dare_ties\n{HEAD}parameters: {{weight: 0.5, density: 0.3}}",
    "slerp": "merge_method: slerp\nbase_model: $two\nmodels: [{model: $one}]\n"
    "parameters: {t: 0.2}",
    "gradients": f"merge_method: task_arithmetic\n{HEAD}parameters: {{weight: [0.1, 0.9, 0.4]}}",
    "filters": f"merge_method: ties\n{HEAD}parameters:\n"
    "  weight: [{filter: mlp, value: [0, 1]}, {filter: norm, value: 2}, {value: 0.5}]\n"
    "  density: [{filter: down, value: 0.5}, {value: 1}]",
    "rounding": f"merge_method: ties\n{HEAD}parameters: {{weight: [0.5, 1]}}\ncompat: mergekit\n"
    "dtype: float16",
    "slices": "merge_method: linear\nbase_model: $base\nparameters: {weight: [1, 0.5]}\nslices:\n"
    f"  - sources: [{ALL % ('base', 0, 2)}, {ALL % ('one', 1, 3)}]\n"
    f"  - sources: [{ALL % ('two', 0, 3)}, {ALL % ('two', 1, 4)}]",
    "passthrough": "merge_method: passthrough\nslices:\n"
    f"  - sources: [{ALL % ('one', 0, 3)}]\n  - sources: [{ALL % ('two', 1, 4)}]",
}


def spec_of(name: str) -> MethodSpec:
    """Return a method's spec."""
    return METHODS[name].spec


def opened_in(root: Path, recipe: Recipe) -> list[Checkpoint]:
    """Return the models of a recipe, which lie under ``root`` by their names."""
    return [Checkpoint(root / ancestor.name) for ancestor in recipe.ancestors]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_file_and_the_json_of_its_recipe_are_one_merge(name: str, root: Path) -> None:
    """Written down and read again, a document's recipe has its id and its weights."""
    translation = translated(DOCUMENTS[name], root, seed=5)
    again = Recipe.from_dict(json.loads(json.dumps(translation.recipe.to_dict())))
    assert again == translation.recipe == canonical(again, spec_of)
    plans = [plan(translation.recipe, translation.models), plan(again, opened_in(root, again))]
    assert (
        1
        == len({merge_plan.id for merge_plan in plans})
        == len({hash_weights(merge_plan) for merge_plan in plans})
    )


def test_constants_are_one_rule_and_gradients_are_runs_of_layers(root: Path) -> None:
    """Rules are few: what does not differ is not told apart, what has no effect is not there."""
    rules = {name: translated(DOCUMENTS[name], root).recipe.rules for name in DOCUMENTS}
    assert (Rule({"weight": 0.5}),) == rules["linear"]
    assert (Rule({"weight": 0.5, "density": 0.3}),) == rules["ties"]
    assert (Rule({}),) == rules["passthrough"]
    embedding = ("model.embed_tokens.weight",)
    assert [embedding, (), (), (), (), ()] == [rule.parts for rule in rules["gradients"]]
    layers = [rule.layers for rule in rules["gradients"]]
    assert [None, (0, 1), (1, 2), (2, 3), (3, 4), None] == layers
    assert ["down", "mlp"] == sorted(rules["filters"][0].parts)
    assert ("norm",) in [rule.parts for rule in rules["filters"]]


CANDIDATES = {
    "task_arithmetic": f"merge_method: task_arithmetic\n{HEAD}",
    "ties": f"merge_method: ties\n{HEAD}",
    # A linear candidate has the base's config and does not merge it: slices say that.
    "linear": "merge_method: linear\nbase_model: $base\n"
    f"slices: [{{sources: [{ALL % ('one', 0, 4)}, {ALL % ('two', 0, 4)}]}}]\n",
}


@pytest.mark.parametrize("method", CANDIDATES)
def test_a_file_meets_the_candidate_of_a_search(method: str, root: Path) -> None:
    """The same models, method, values, dtype and seed are one id, whoever asked for them."""
    values = "{weight: 0.5, normalize: true}" if method == "ties" else "{weight: 0.5}"
    text = f"{CANDIDATES[method]}parameters: {values}\ndtype: bfloat16"
    base, one, two = (model_of(Checkpoint(root / name)) for name in ("base", "one", "two"))
    specs = {name: spec_of(name) for name in METHODS}
    params = SpaceParams(
        methods=[method], weight=(0.0, 1.0), normalize=method != "task_arithmetic"
    )
    space = Space(params, specs=specs, num_parents=2, num_layers=4)
    genome = space.encode(method, (Rule({"weight": 0.5, "density": 1.0}),))
    candidate = space.make_recipe(
        genome, base=base, parents=(one, two), merge=MergeParams(dtype="bfloat16", seed=3)
    )
    translation = translated(text, root, seed=7)
    assert candidate.id == translation.recipe.id


def in_sequence(first: Recipe, second: Recipe, root: Path, scratch: Path) -> tuple[str, Plan]:
    """Return the hash of two merges one after the other, and the plan of the nested recipe.

    ``second`` names the child of ``first`` as ``first``.
    """
    inner = plan(first, opened_in(root, first))
    digest = write_model(inner, scratch / "first", shard_bytes=10**9)
    written = [
        Checkpoint(scratch / "first" if a.name == "first" else root / a.name)
        for a in second.ancestors
    ]
    known = tuple(Model("first", digest) if a.name == "first" else a for a in second.ancestors)
    two_steps = hash_weights(plan(replace(second, ancestors=known), written))
    nested = OpenAncestors(lambda model: Checkpoint(root / model.name), scratch / "in").models(
        second
    )
    return two_steps, plan(second, nested)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["linear", "ties", "random", "slices", "passthrough"])
def test_a_nested_recipe_is_two_merges_in_sequence(
    name: str, dtype: str, root: Path, tmp_path: Path
) -> None:
    """Bit for bit, as a base and as a parent, also where its masks depend on its weights."""
    first = replace(translated(DOCUMENTS[name], root, seed=1).recipe, dtype=dtype)
    base, two = (model_of(Checkpoint(root / folder)) for folder in ("base", "two"))
    inner = NestedRecipe("first", first)
    whole = name not in {"slices", "passthrough"}
    seconds = [
        Recipe.of_models(
            "dare_linear", (inner, two), (Rule({"weight": 0.5, "density": 0.5}),), base
        ),
        Recipe.of_models("ties", (two,), (Rule({"weight": 0.5, "density": 0.5}),), inner),
    ]
    alone = Recipe.of_models("linear", (inner, inner), (Rule({"weight": 0.5}),), dtype="float16")
    for number, second in enumerate([*seconds, alone] if whole else [alone]):
        expected, nested = in_sequence(first, second, root, tmp_path / str(number))
        assert expected == hash_weights(nested)


def test_a_nested_recipe_is_read_as_a_model(root: Path, tmp_path: Path) -> None:
    """Its headers, config and hash are those of the folder that it would be."""
    recipe = translated(DOCUMENTS["slices"], root).recipe
    merge_plan = plan(recipe, opened_in(root, recipe))
    digest = write_model(merge_plan, tmp_path / "written", shard_bytes=10**9)
    written = Checkpoint(tmp_path / "written")
    merged = MergedModel(merge_plan, tmp_path / "merged")
    assert (written.tensors, written.config) == (merged.tensors, merged.config)
    assert digest == merged.hash()
