"""Carries out a recipe: a JSON file, or the one in the card of a child that germline made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from flows.merging.merge_job import Job, write
from flows.merging.model_search import ModelSearch
from stages.errors import Faults, RecipeError, at
from stages.files import text_of
from stages.json_text import json_in
from stages.licences import CARD
from stages.merge.mergekit.from_recipe import from_recipe
from stages.merge.outputs.merged_model import OpenAncestors
from stages.merge.outputs.model_card import recipe_in
from stages.merge.outputs.preview import Preview
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.merge.plan.whole_models import without_needless_layers
from stages.merge.plugins import load, method_of
from stages.recipe.canonical import canonical
from stages.recipe.method_spec import MethodSpec
from stages.recipe.recipe import Model, NestedRecipe, Recipe

_INPUTS = "Give a recipe, a MergeKit file, or the folder of a model that germline merged."

_OF_RECIPES = {"ancestors", "version"}
_OF_MERGEKIT = {"merge_method", "models", "slices", "modules", "base_model"}


def is_recipe(source: Path) -> bool:
    """Return whether an input is a recipe or a child's folder, and not a MergeKit file."""
    if source.is_dir():
        return True
    try:
        text = text_of(source)
        data = json_in(text)
    except FileNotFoundError:
        return False
    except ValueError:  # a damaged recipe is said to be one by its name
        return source.suffix == ".json"
    if not isinstance(data, dict):
        return source.suffix == ".json"
    keys = {*data}
    return bool(keys & _OF_RECIPES) or (source.suffix == ".json" and not keys & _OF_MERGEKIT)


def preview_recipe(job: Job) -> Preview:
    """Return what ``merge_recipe`` would do: weights are read to find the models, none merged.

    Raises:
        GermlineError: something is not legal, not found or does not fit; every fault is listed.
    """
    with _planned(job) as child_plan:
        return Preview.of([(child_plan, ())], threads=job.threads)


def merge_recipe(job: Job) -> str:
    """Carry out the recipe; return the weights hash of the model that is then at ``job.out``.

    Raises:
        GermlineError: something is not legal, not found or does not fit, or there is no room.
    """
    with _planned(job) as child_plan:
        return write(job, child_plan, job.out)


def export_recipe(job: Job) -> str:
    """Return the recipe as the text of a MergeKit file, its models by their public places.

    Models without one are called by the folders in which they were found.

    Raises:
        GermlineError: MergeKit's language cannot say it, or something is not legal or not found.
    """
    with _planned(job) as planned:
        return mergekit_text(planned)


def mergekit_text(planned: Plan) -> str:
    """Return the recipe of a plan as the text of a MergeKit file.

    Raises:
        RecipeError: MergeKit's language cannot say it.
    """
    ancestors = planned.recipe.ancestors
    nested = [a.name for a in ancestors if isinstance(a, NestedRecipe)]
    if nested:
        raise RecipeError(
            f"{planned.label}: MergeKit's language cannot say it, as its model "
            f"{', '.join(nested)} is not a folder but a merge of its own. `germline merge` takes "
            "the recipe as JSON."
        )
    sources = [a.source if isinstance(a, Model) else None for a in ancestors]
    places = [s or str(m.folder) for s, m in zip(sources, planned.models, strict=True)]
    recipe = canonical(without_needless_layers(planned.recipe, planned.models), _spec_of)
    document = from_recipe(recipe, planned.models, places)
    text = str(yaml.safe_dump(document, sort_keys=False))
    return f"# germline merge FILE OUT --seed {recipe.seed}\n{text}"


@contextmanager
def _planned(job: Job) -> Iterator[Plan]:
    """Give the plan of the recipe; those among its ancestors are merged as they are read."""
    if job.seed is not None or job.compat:
        raise RecipeError(
            f"{job.label}: a recipe has a seed and a rounding of its own. Leave --seed and "
            "--compat out, or change the recipe."
        )
    load([], job.plugins)
    recipe = _read(job)
    search = ModelSearch(job.source, dict(job.models), job.resolver(""))
    with at(job.label):
        search.check(recipe)
    with TemporaryDirectory(prefix="germline-merge-") as scratch:
        models = OpenAncestors(search.find, Path(scratch)).models(recipe)
        recipe = canonical(without_needless_layers(recipe, models), _spec_of)
        yield plan(recipe, models, label=job.label)


def _read(job: Job) -> Recipe:
    """Return the recipe of a file, or of the card in a folder, in its one spelling."""
    faults = Faults()
    with faults.at(job.label):
        return canonical(Recipe.from_dict(_data(job.source)), _spec_of)
    faults.raise_as(RecipeError)
    raise AssertionError  # a fault ended the block


def _data(source: Path) -> Any:
    path = source / CARD if source.is_dir() else source
    try:
        text = text_of(path)
        return recipe_in(text) if source.is_dir() else json_in(text)
    except FileNotFoundError as error:
        raise RecipeError(
            f"{path.name} cannot be read: No such file or directory. {_INPUTS}"
        ) from error
    except ValueError as error:
        if isinstance(error, RecipeError):
            raise
        what = f"{path.name} cannot be read" if source.is_dir() else "cannot be read"
        raise RecipeError(f"{what}: {error}. {_INPUTS}") from error


def _spec_of(name: str) -> MethodSpec:
    return method_of(name).spec
