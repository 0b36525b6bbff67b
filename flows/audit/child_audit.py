"""Judges the folder of a merged model by its card: recipe, id, weights and files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from flows.audit.check_verdict import Difference, Verdict
from flows.audit.first_tensor import first_difference
from flows.audit.folder_files import differing_files
from flows.audit.run_audit import Audit, Steps
from flows.merging.model_cache import Resolver
from flows.merging.model_search import ModelSearch
from stages.checkpoint.reader import Checkpoint
from stages.errors import GermlineError
from stages.evaluate.score_environment import in_words, machine, packages
from stages.files import text_of
from stages.licences import CARD
from stages.merge import plugins
from stages.merge.outputs.merged_model import OpenAncestors
from stages.merge.outputs.model_card import CardClaims, claims_in, recipe_in
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Recipe
from stages.scratch_folder import scratch_folder

_WHOLE = 1 << 62  # bytes of a shard: tensors are compared by name, however they are sharded
_NO_SCORES = (
    "scores: a folder holds none of the answers. Audit the run that it is from, or evaluate the "
    "model with `germline evaluate`"
)


def audit_children(
    folders: Sequence[Path], steps: Steps, places: Mapping[str, str] = MappingProxyType({})
) -> Audit:
    """Judge each folder by its own card; the models of its recipe are looked for by their hashes.

    They are looked for in the project, the zoo, next to the folder and in the hub's cache, but
    those named in ``places`` there.

    Raises:
        GermlineError: a folder cannot be read at all.
    """
    verdicts = [verdict for folder in folders for verdict in _child(folder, steps, places)]
    here = {"libraries": packages(), "machines": [in_words(machine("cpu"))]}
    return Audit(tuple(verdicts), {"libraries": {}, "machines": []}, here)


def _child(folder: Path, steps: Steps, places: Mapping[str, str]) -> Iterator[Verdict]:
    name = folder.name
    steps.step(f"{name}: reading its card and its weights")
    try:
        text = text_of(folder / CARD)
        recipe = Recipe.from_dict(recipe_in(text))
    except (OSError, ValueError) as error:
        where = f"{name}/{CARD}"
        yield Verdict(f"{name}: card", "nothing", (Difference(where, "a recipe", str(error)),))
        return
    claims = claims_in(text)
    weights = Checkpoint(folder).hash()
    yield _card(folder, claims, recipe, weights)
    steps.step(f"{name}: looking for the models of its recipe, and merging them again")
    yield from _merged_again(folder, recipe, weights, places)


def _card(folder: Path, claims: CardClaims | None, recipe: Recipe, weights: str) -> Verdict:
    """Compare what the card says with the recipe in it and the tensors next to it."""
    if claims is None:
        where = f"{folder.name}/{CARD}"
        difference = Difference(where, "the ids of recipe and weights", "it names none")
        return Verdict(f"{folder.name}: card", "the card", (difference,))
    pairs = (
        ("recipe id", claims.recipe_id, recipe.id),
        ("weights hash", claims.weights_hash, weights),
    )
    differences = tuple(
        Difference(f"{folder.name}/{CARD}, {what}", recorded, now)
        for what, recorded, now in pairs
        if recorded != now
    )
    return Verdict(
        f"{folder.name}: card", "the recipe's id and the weights' hash", differences, (_NO_SCORES,)
    )


def _merged_again(
    folder: Path, recipe: Recipe, weights: str, places: Mapping[str, str]
) -> Iterator[Verdict]:
    """Yield the verdict on the weights and the other files, from the models of the recipe."""
    check = f"{folder.name}: weights"
    with scratch_folder() as scratch:
        try:
            plugins.load([])
            search = ModelSearch(folder, places, Resolver("", offline=True))
            search.check(recipe)
            child = plan(recipe, OpenAncestors(search.find, scratch / "nested").models(recipe))
        except GermlineError as error:  # models that are not here, or a plug-in's method
            yield Verdict(check, "nothing", (), (str(error),))
            return
        again = write_model(child, scratch / "again", shard_bytes=_WHOLE)
        differences: list[Difference] = []
        if again != weights:
            first = first_difference(Checkpoint(scratch / "again"), folder)
            where = f"{folder.name}, weights hash"
            differences.append(Difference(where, f"{again} by the recipe", weights))
            differences += [first] if first is not None else []
        differences += differing_files(scratch / "again", folder)
        yield Verdict(check, "merged again from its models; config, tokenizer", tuple(differences))
