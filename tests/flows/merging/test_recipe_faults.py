"""What is wrong with an input of ``germline merge``: where, once, and what is legal."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from flows.cli.main import main
from stages.checkpoint.reader import Checkpoint
from stages.merge.methods import METHODS
from tests.flows.typed import merged

TIES = """
merge_method: ties
base_model: base
models:
  - {model: one, parameters: {weight: 0.5}}
  - {model: two, parameters: {weight: 1}}
"""


def _failed(source: str, out: str, *options: str) -> str:
    """Run ``germline merge``, which must fail; return what it printed."""
    result = CliRunner().invoke(main, ["merge", source, out, *options])
    assert 1 == result.exit_code, result.output
    return result.output


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": [', "bad.json: cannot be read: line 1: Expecting value. Give a recipe"),
        ("", "bad.json: cannot be read: it is empty. Give a recipe"),
        ("[]", "bad.json: recipe: got list. Give a JSON object."),
        ('{"method": "linear"}', "bad.json, recipe, version: missing."),
        ('{"merge_method": "liner"}', "Did you mean 'linear'?"),
    ],
)
def test_json_file_is_a_recipe_or_has_keys_of_mergekit(text: str, said: str) -> None:
    """What is wrong with a recipe is not said of a MergeKit file."""
    Path("bad.json").write_text(text, encoding="utf-8")
    printed = _failed("bad.json", "out")
    assert said in printed
    assert ("merge_method" in text) or "YAML" not in printed


@pytest.mark.usefixtures("here")
def test_input_that_is_not_there_is_named_with_its_path() -> None:
    """A folder by its path, and what INPUT may be."""
    Path("deep").mkdir()
    Path("one").rename("deep/one")
    assert _failed("deep/one", "out").startswith("error: deep/one: README.md cannot be")
    said = _failed("none", "out")
    assert "a MergeKit YAML file, a recipe, or the folder of a model" in said


@pytest.mark.usefixtures("here")
def test_faults_of_a_recipes_models_name_the_recipe_once() -> None:
    """A place that is not there, an adapter that is none, and a hash that is cut short."""
    merged(TIES)
    said = _failed("out", "again", "--model", "two=./nope")
    assert said.startswith("error: out, model two, ./nope: no such folder.")
    Path("bad").mkdir()
    Path("bad/adapter_config.json").write_text("{}", encoding="utf-8")
    save_file({"x": torch.zeros(1)}, "bad/adapter_model.safetensors")
    said = _failed("out", "again", "--model", "two=two+bad")
    assert said.startswith("error: out, model two, two+bad: the adapter: adapter_config.json")
    said = merged(TIES.replace("model: two", "model: two+bad"), out="again", code=1).stderr
    assert said.startswith("error: merge.yml: two+bad: the adapter: adapter_config.json")
    card = Path("out/README.md").read_text(encoding="utf-8")
    text = card.split("```json")[1].split("```")[0]
    digits = Checkpoint(Path("two")).hash()
    said = merged(text.replace(digits, digits[:4]), out="again", code=1).stderr
    assert said.startswith(
        f"error: merge.yml, model two: hash is '{digits[:4]}'. A hash of weights"
    )
    assert "64 hexadecimal digits" in said


@pytest.mark.usefixtures("here")
def test_card_says_whose_method_it_is() -> None:
    """A method of no paper is germline's own: the card is not the file that states it."""
    merged("merge_method: passthrough\nmodels: [{model: one}]\n")
    card = Path("out/README.md").read_text(encoding="utf-8")
    assert "Copies each tensor from one of the parents. Source: germline's own." in card
    assert not [m for m in METHODS.values() if "this file" in m.spec.source]


def test_models_are_those_of_the_project_around_the_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe is merged again in any folder of a project, from the project's own models."""
    merged(TIES)
    Path("data/zoo").mkdir(parents=True)
    Path("data/deep").mkdir()
    for name in ("base", "one", "two"):
        Path(name).rename(f"data/zoo/{name}")
    monkeypatch.chdir("data/deep")
    assert "were not found" in _failed("../../out", "again")
    for name in ("params.yaml", "dvc.yaml"):
        (here / name).touch()
    result = CliRunner().invoke(main, ["merge", "../../out", "again"])
    assert 0 == result.exit_code, result.output
    assert Path("again/config.json").is_file()
