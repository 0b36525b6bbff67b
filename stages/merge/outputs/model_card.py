"""The model card of a child: what was merged, and the recipe that gives the same weights again."""

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

import yaml

from stages.errors import RecipeError
from stages.json_text import json_in
from stages.licences import (
    Licence,
    Licences,
    front_matter,
    licences_of,
    remarks,
    shown,
)
from stages.merge.plan.plan import Plan, PlannedModel
from stages.recipe.recipe import Ancestor, NestedRecipe, Recipe

_CLAIMS = re.compile(
    r"^Recipe `(?P<recipe>[0-9a-f]{64})`, weights `(?P<weights>[0-9a-f]{64})`", re.MULTILINE
)


def card(plan: Plan, weights_hash: str, more: str = "") -> str:
    """Return the model card: what was merged, and the recipe from which it can be rebuilt.

    ``more`` are sections that stand before the recipe.
    """
    spec, recipe = plan.method.spec, plan.recipe
    licences = licences_in(plan)
    models = "\n".join(
        _line(ancestor, licences.get(ancestor.name)) for ancestor in recipe.ancestors
    )
    said = "".join(f"\n{line}\n" for line in remarks(licences))
    text = json.dumps(recipe.to_dict(), indent=2, sort_keys=True, ensure_ascii=False)
    return f"""---
{_front_matter(recipe, licences)}---
# A merge by {spec.name}

{spec.summary} Source: {spec.source}.

{models}
{said}{more}
Recipe `{plan.id}`, weights `{weights_hash}`.

`germline merge FOLDER OUT`, where FOLDER is the folder of this card, gives these weights again,
bit for bit, from the recipe below and its models, which it knows by the hashes of their weights.
A model that it does not find is given by `--model NAME=PLACE`.

```json
{text}
```
"""


def recipe_in(card: str) -> Any:
    """Return the data of the recipe that a card holds.

    Raises:
        RecipeError: it holds none.
    """
    _, fence, rest = card.partition("```json\n")
    try:
        return json_in(rest.partition("```")[0])
    except ValueError as error:
        problem = f"it is not JSON: {error}" if fence else "there is no JSON block"
        raise RecipeError(
            f"README.md holds no recipe: {problem}. Give the folder of a model that germline "
            "merged, a recipe or a MergeKit file."
        ) from error


@dataclass(frozen=True, slots=True)
class CardClaims:
    """What a card says of the model next to it."""

    recipe_id: str
    weights_hash: str


def claims_in(card: str) -> CardClaims | None:
    """Return what a card says of its model; None where it says nothing of that kind."""
    match = _CLAIMS.search(card)
    return CardClaims(match["recipe"], match["weights"]) if match else None


def licences_in(plan: Plan) -> Licences:
    """Return the licences of a plan's models, by name, as the cards in their folders say.

    A model that is itself a merge counts as those that it is merged from.
    """
    licences: dict[str, Set[Licence] | None] = {}
    for i, model in enumerate(plan.models):
        own = {plan.name_of(i): licences_of(model.folder)}
        for name, some in (
            licences_in(model.plan) if isinstance(model, PlannedModel) else own
        ).items():
            before = licences.get(name, frozenset())
            licences[name] = None if some is None or before is None else before | some
    return licences


def _line(ancestor: Ancestor, licences: Set[Licence] | None) -> str:
    """Return a model's line in the card: where anybody finds it or what it is of, its licence."""
    if isinstance(ancestor, NestedRecipe):
        names = ", ".join(one.name for one in ancestor.recipe.ancestors)
        return f"- {ancestor.name} (`{ancestor.id}`), a merge of {names}"
    source = ancestor.source
    more = [part for part in (source, shown(licences)) if part]
    return ", ".join([f"- {ancestor.name} (`{ancestor.id}`)", *more])


def _front_matter(recipe: Recipe, licences: Licences) -> str:
    """Return what the hub reads of a card; models are named where their places are known."""
    data: dict[str, Any] = {"library_name": "transformers", "tags": ["merge", "germline"]}
    data |= front_matter(licences)
    parts = (part for source in _sources(recipe) for part in source.split("+"))
    repositories = dict.fromkeys(part.partition("@")[0] for part in parts)
    if repositories:
        data |= {"base_model": list(repositories), "base_model_relation": "merge"}
    return str(yaml.safe_dump(data, sort_keys=False))


def _sources(recipe: Recipe) -> Iterator[str]:
    for ancestor in recipe.ancestors:
        if isinstance(ancestor, NestedRecipe):
            yield from _sources(ancestor.recipe)
        elif ancestor.source is not None:
            yield ancestor.source
