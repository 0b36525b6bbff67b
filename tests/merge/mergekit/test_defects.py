"""What MergeKit gets wrong around its files; ../test_defects.py says where the other tests are."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from flows.cli.main import main
from stages.errors import RecipeError
from stages.merge.mergekit.document import read_text
from tests.merge.mergekit.llamas import lowered

TWO = "merge_method: linear\nmodels: [{{model: ${}}}, {{model: ${}}}]\nparameters: {{weight: 1}}"


@pytest.mark.parametrize("option", ["--write-threads", "--lazy-unpickle", "--clone-tensors"])
def test_no_option_is_taken_and_ignored(option: str) -> None:
    """An option of MergeKit's that has no effect is none here."""
    result = CliRunner().invoke(main, ["merge", "a.yml", "out", option])
    assert 2 == result.exit_code
    assert f"No such option: {option}" in result.output or f"'{option}'" in result.output


@pytest.mark.parametrize(("first", "second"), [("one", "two"), ("two", "one")])
def test_without_a_base_the_first_model_gives_the_config(
    first: str, second: str, root: Path
) -> None:
    """Config and tokenizer are of the model that the file names first, every time."""
    plan = lowered(TWO.format(first, second), root).plan
    assert [first, first] == [plan.frame.folder.name, plan.owner.folder.name]
    based = lowered(f"{TWO.format(first, second)}\nbase_model: $two", root).plan
    assert "two" == based.frame.folder.name


def _respelled(folder: Path) -> None:
    """Give a model's norms their older names, as in BERT's first checkpoints."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name in [name for name in tensors if "norm" in name]:
        tensors[name.replace("weight", "gamma")] = tensors.pop(name)
    save_file(tensors, path)


def test_norms_may_have_older_names(root: Path, tmp_path: Path) -> None:
    """Names that no list knows are merged where all models have them, and named where one has."""
    for name in ("one", "two"):
        shutil.copytree(root / name, tmp_path / name)
    _respelled(tmp_path / "one")
    with pytest.raises(RecipeError) as raised:
        lowered(TWO.format("one", "two"), tmp_path)
    faults = str(raised.value)
    assert "tensor model.norm.gamma: " in faults
    assert "tensor model.layers.3.input_layernorm.weight: " in faults
    _respelled(tmp_path / "two")
    names = lowered(TWO.format("one", "two"), tmp_path).plan.outputs
    assert "model.norm.gamma" in names
    assert 39 == len(names)


def test_a_gradient_of_the_models_ends_with_the_head(root: Path) -> None:
    """Weights [1, 0] and [0, 1] make the embedding the first model's, the head the second's."""
    text = (
        "merge_method: linear\nmodels:\n"
        "  - {model: $one, parameters: {weight: [1, 0]}}\n"
        "  - {model: $two, parameters: {weight: [0, 1]}}\n"
    )
    tensors = {t.name: t.settings.parent["weight"] for t in lowered(text, root).plan.tensors}
    assert (1.0, 0.0) == tensors["model.embed_tokens.weight"]
    assert (0.0, 1.0) == tensors["lm_head.weight"] == tensors["model.norm.weight"]


@pytest.mark.parametrize(
    "line",
    ["parameters: {weight: {filter: mlp, value: 1}}", "residual_weight: 1", "paramters: {}"],
)
def test_what_mergekit_drops_or_breaks_on_is_an_error_with_its_line(line: str) -> None:
    """A filtered value without a list, a key without effect, a key that is none."""
    text = f"merge_method: linear\nmodels: [{{model: a}}, {{model: b}}]\n{line}"
    with pytest.raises(RecipeError, match=r"merge\.yml, line 3: "):
        read_text(text, file="merge.yml")
