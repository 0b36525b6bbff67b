"""``germline merge`` and the candidate store: one recipe, however it is written, is one record."""

import json
import subprocess
from pathlib import Path

from click.testing import CliRunner

from flows.cli.main import main
from stages.merge.outputs.model_card import recipe_in
from stages.recipe.recipe import Recipe
from stages.store.candidate_store import CandidateStore
from tests.flows.typed import merged, said_by

LINEAR = """
merge_method: linear
models: [{model: one}, {model: two}]
parameters: {weight: 0.5}
dtype: bfloat16
"""


def test_a_kept_child_is_copied_however_its_recipe_is_written(here: Path) -> None:
    """A MergeKit file, a recipe and a child's folder meet one record; a damaged one is a miss."""
    subprocess.run(["git", "init", "--quiet", here], check=True)
    (here / ".dvc").mkdir()
    (here / ".dvc/config").touch()
    assert "candidate store" not in said_by(merged(LINEAR))
    recipe = recipe_in((here / "out/README.md").read_text(encoding="utf-8"))
    (here / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    expected = _content(here / "out")
    weights = _said_hash(said_by(merged(LINEAR, out="other", code=0)))
    store = CandidateStore()
    store.put_folder(Recipe.from_dict(recipe).id, here / "out", weights_hash="0" * 64)
    assert "candidate store" not in said_by(merged(LINEAR, out="damaged"))
    store.put_folder(Recipe.from_dict(recipe).id, here / "out", weights_hash=weights)
    for source in ("merge.yml", "recipe.json", "out"):
        result = CliRunner().invoke(main, ["merge", source, f"from-{source}"])
        assert 0 == result.exit_code, result.output
        assert "copied from the candidate store" in said_by(result)
        assert expected == _content(here / f"from-{source}")
    merged(LINEAR, "--shard-size", "10kB", out="shards")
    assert len(list((here / "shards").glob("*.safetensors"))) > 1


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _said_hash(said: str) -> str:
    return said.partition("weights ")[2].split()[0]
