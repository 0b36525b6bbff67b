"""The files of a model's folder besides its weights, against those that its recipe gives."""

from collections.abc import Iterator
from pathlib import Path

from flows.audit.check_verdict import Difference, differences_in
from stages.files import text_of
from stages.hashing import file_hash
from stages.licences import CARD
from stages.merge.outputs.model_card import claims_in, recipe_in
from stages.merge.outputs.model_files import write_companions
from stages.merge.plan.plan import Plan
from stages.recipe.recipe import Recipe
from stages.scratch_folder import scratch_folder

_WEIGHTS = (".safetensors", ".safetensors.index.json")


def files_of_child(plan: Plan, folder: Path, weights_hash: str) -> Iterator[Difference]:
    """Yield each file in ``folder`` that is not the one which ``plan`` gives: more, less, other.

    The weights are not read: who calls has compared their hash.
    """
    with scratch_folder() as scratch:
        again = scratch / "model"
        again.mkdir()
        write_companions(plan, again, weights_hash)
        yield from differing_files(again, folder)
        yield from _card(again / CARD, folder / CARD)
        for path in _others(folder):
            name = path.relative_to(folder).as_posix()
            if not (again / name).exists():
                yield Difference(f"{folder}/{name}", "a file", "the recipe gives no such file")


def _card(again: Path, card: Path) -> Iterator[Difference]:
    """Yield where a card has another recipe or other hashes; its words are of some version."""
    try:
        recorded, now = (_claims(text_of(path)) for path in (card, again))
    except (OSError, ValueError) as error:
        yield Difference(str(card), "the card of a merge", str(error))
        return
    yield from differences_in(str(card), recorded, now)


def _claims(text: str) -> dict[str, object]:
    """Return what a card says, in the spelling of today."""
    return {"recipe": Recipe.from_dict(recipe_in(text)).to_dict(), "ids": str(claims_in(text))}


def differing_files(again: Path, folder: Path) -> Iterator[Difference]:
    """Yield each file besides weights and card that ``again`` has and ``folder`` has not so."""
    for path in _others(again):
        if path.name == CARD:
            continue
        name = path.relative_to(again).as_posix()
        mine = folder / name
        now = file_hash(mine) if mine.is_file() else "no file"
        if now != file_hash(path):
            yield Difference(f"{folder}/{name}", f"SHA-256 {file_hash(path)} by the recipe", now)


def _others(folder: Path) -> list[Path]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not path.name.endswith(_WEIGHTS))
