"""The non-weight files of a model folder: config, tokenizer, generation config, card."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stages.checkpoint.safetensors_header import read_json
from stages.errors import RecipeError
from stages.hashing import content_hash, file_hash
from stages.json_text import json_in
from stages.merge.architecture.child_config import special_tokens
from stages.merge.plan.plan import Plan
from stages.merge.tokenizers.tokenizer_files import copy, write_json, write_tokenizer
from stages.recipe.recipe import NestedRecipe, Recipe


def write_companions(plan: Plan, folder: Path, weights_hash: str) -> None:
    """Write the non-weight files of the child's folder.

    Config and code are the frame's, in the recipe's dtype; the tokenizer, chat template,
    generation config and special tokens are those of the model that ``recipe.tokenizer`` names.
    """
    if plan.vocabulary is None:
        write_tokenizer(plan.owner.folder, folder)
    else:
        plan.vocabulary.write(folder)
    _copy_code(plan.frame.folder, folder)
    write_json(folder / "config.json", plan.config)
    _write_generation_config(plan, folder)
    (folder / "README.md").write_text(card(plan, weights_hash), encoding="utf-8")


def card(plan: Plan, weights_hash: str) -> str:
    """Return the model card: what was merged, and the recipe from which it can be rebuilt."""
    spec, recipe = plan.method.spec, plan.recipe
    models = "\n".join(f"- {ancestor.name} (`{ancestor.id}`)" for ancestor in recipe.ancestors)
    text = json.dumps(recipe.to_dict(), indent=2, sort_keys=True, ensure_ascii=False)
    return f"""---
{_front_matter(recipe)}---
# A merge by {spec.name}

{spec.summary} Source: {spec.source}.

{models}

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


def folder_key(plan: Plan) -> str:
    """Return the hash of all that a child's folder holds: its weights' and other files'."""
    owner = plan.owner.folder
    names = sorted(p for p in owner.rglob("*") if p.is_file() and p.suffix != ".safetensors")
    small = {p.relative_to(owner).as_posix(): file_hash(p) for p in names if p.suffix != ".bin"}
    small.pop("README.md", None)
    return content_hash({"config": dict(plan.config), "files": small, "recipe": plan.id})


def _front_matter(recipe: Recipe) -> str:
    """Return what the hub reads of a card; models are named where their places are known."""
    sources = dict.fromkeys(source.partition("@")[0] for source in _sources(recipe))
    data: dict[str, Any] = {"library_name": "transformers", "tags": ["merge", "germline"]}
    if sources:
        data |= {"base_model": list(sources), "base_model_relation": "merge"}
    return str(yaml.safe_dump(data, sort_keys=False))


def _sources(recipe: Recipe) -> Iterator[str]:
    for ancestor in recipe.ancestors:
        if isinstance(ancestor, NestedRecipe):
            yield from _sources(ancestor.recipe)
        elif ancestor.source is not None:
            yield ancestor.source


def _copy_code(source: Path, folder: Path) -> None:
    """Copy the Python files that a config with ``auto_map`` names."""
    for path in sorted(source.glob("*.py")):
        copy(path, folder)


def _write_generation_config(plan: Plan, folder: Path) -> None:
    """Write the owner's generation config, else the frame's with the child's special tokens."""
    name = "generation_config.json"
    holder = next((m for m in (plan.owner, plan.frame) if (m.folder / name).is_file()), None)
    if holder is None:
        return
    ids = special_tokens(plan.config)
    changed = {n: number for n, number in ids.items() if number != plan.frame.config.get(n)}
    if holder is plan.owner or not changed:
        copy(holder.folder / name, folder)
    else:
        write_json(folder / name, {**read_json(holder.folder / name), **changed})
