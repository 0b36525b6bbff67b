"""run:FOLDER: the champion of an earlier run as a parent, the same one each time."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from flows.pipeline import download
from stages.checkpoint.reader import Checkpoint
from stages.download import parents_lock
from stages.download.sources.model_requests import requests
from stages.errors import CheckpointError, ParamsError
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.planner import plan
from stages.params.load import Params
from stages.recipe.recipe import Model, Recipe, Rule
from tests.download.conftest import params, run

OUT = Path("data/parents")
EVOLVED = params(math="zoo:math", evolved="run:../first")


def evolve(weight: float) -> Recipe:
    """Write a champion as a run in ../first leaves it; return its recipe."""
    models = [Checkpoint(Path("data/zoo") / name) for name in ("base", "math", "lang")]
    base, *parents = (Model(model.folder.name, model.hash()) for model in models)
    rule = Rule({"weight": (weight, 0.5)})
    recipe = Recipe.of_models("task_arithmetic", parents, (rule,), base, dtype="float32")
    out = Path("../first/data/champion")
    shutil.rmtree(out, ignore_errors=True)
    write_model(plan(recipe, models), out, shard_bytes=10**9)
    return recipe


def evolved() -> dict[str, object]:
    """Return the manifest's entry of the champion."""
    models = json.loads((OUT / "manifest.json").read_text(encoding="utf-8"))["models"]
    return dict(next(model for model in models if model["name"] == "evolved"))


@pytest.mark.usefixtures("project")
def test_a_champion_is_a_parent_with_its_ancestry() -> None:
    """Its recipe is in a note and in its card, its weights are in the lock."""
    recipe = evolve(0.25)
    run(EVOLVED, OUT)
    assert evolved()["notes"] == [f"champion of an earlier run, recipe {recipe.id}"]
    assert recipe.id in (OUT / "evolved/README.md").read_text(encoding="utf-8")
    lock = yaml.safe_load(Path("parents.lock").read_text(encoding="utf-8"))
    assert lock == {"commits": {}, "runs": {"run:../first": evolved()["weights_hash"]}}
    manifest = (OUT / "manifest.json").read_bytes()
    run(EVOLVED, OUT)
    assert manifest == (OUT / "manifest.json").read_bytes()


@pytest.mark.usefixtures("project")
def test_another_champion_is_refused_until_the_lock_follows() -> None:
    """A pool that changed under a search is said, with the command that accepts it."""
    evolve(0.25)
    run(EVOLVED, OUT)
    evolve(0.3)
    with pytest.raises(CheckpointError, match=r"evolved: run:\.\./first: its champion has"):
        run(EVOLVED, OUT)
    (sentence,) = parents_lock.update(requests(EVOLVED, OUT))
    assert "run:../first: moved from" in sentence
    run(EVOLVED, OUT)


@pytest.mark.usefixtures("project")
def test_a_champion_that_is_not_what_its_run_wrote_is_refused() -> None:
    """Weights that are not those of the card are damaged, or of another model."""
    evolve(0.25)
    shutil.copy("data/zoo/math/model.safetensors", "../first/data/champion")
    with pytest.raises(CheckpointError, match="It is not what its run wrote; restore it there"):
        run(EVOLVED, OUT)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("run:../nowhere", "run:../nowhere: no such folder. Give the folder of a project"),
        ("run:data/zoo/math", "no champion: neither data/champion nor the folder itself has"),
        ("run:", "names no folder of a model"),
    ],
)
def test_a_run_without_a_champion_is_refused(source: str, said: str) -> None:
    """The message says where it was looked for and what to do."""
    with pytest.raises((CheckpointError, ParamsError), match=re.escape(said)):
        run(params(evolved=source), OUT)


@pytest.mark.usefixtures("project")
def test_the_champion_of_this_project_is_not_its_own_parent() -> None:
    """A run would change what it began with."""
    Path("data/champion").mkdir()
    for source in ("run:data/champion", "./data/champion"):
        with pytest.raises(ParamsError, match="data/champion is the champion of this project"):
            requests(params(evolved=source), OUT)


@pytest.mark.usefixtures("project")
def test_dvc_watches_the_champion() -> None:
    """The folder of the champion is a dep, so that a change of it is seen."""
    evolve(0.25)
    tasks = {"tasks": [{"task": "arc_easy"}]}
    whole = Params.model_validate({"download": EVOLVED.model_dump(), "evaluate": tasks})
    assert download._folders(whole) == {"evolved": ["../first/data/champion"]}
