"""Models of a document whose configs make equal weights compute different things."""

import json
import shutil
from pathlib import Path

import pytest

from stages.errors import RecipeError
from tests.merge.mergekit.llamas import lowered

LINEAR = "merge_method: linear\nmodels: [{model: $one}, {model: %s}]\nparameters: {weight: 0.5}"
SLICES = """
merge_method: passthrough
slices:
  - sources: [{model: $one, layer_range: [0, 2]}]
  - sources: [{model: %s, layer_range: [1, 3]}]
"""


def other(root: Path, tmp_path: Path, **changes: object) -> Path:
    """Return a copy of the model two with keys of its config changed."""
    folder = shutil.copytree(root / "two", tmp_path / "other")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | changes
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize("text", [LINEAR, SLICES])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"rms_norm_eps": 0.1}, "rms_norm_eps is 0.1"),
        (
            {"rope_parameters": {"rope_theta": 7.0, "rope_type": "default"}},
            r"rope_parameters\.rope_theta is 7.0",
        ),
        ({"model_type": "mistral"}, "model_type is 'mistral'"),
    ],
)
def test_another_function_is_refused(
    root: Path, tmp_path: Path, text: str, changes: dict[str, object], said: str
) -> None:
    """The key, both values and both models are named, for whole models and for slices."""
    folder = other(root, tmp_path, **changes)

    with pytest.raises(RecipeError, match=f"other: {said}, .*one has .*leave .*other out"):
        lowered(text % folder, root)


def test_a_key_that_nobody_reads_is_said(root: Path, tmp_path: Path) -> None:
    """The merge goes on, with a note; harmless keys are passed over."""
    folder = other(root, tmp_path, my_gate=3, use_cache=False, attention_dropout=0.5)

    notes = lowered(LINEAR % folder, root).notes

    (note,) = [note for note in notes if "config.json" in note]
    assert "other: my_gate is 3, " in note
    assert "dropout" not in note


def test_a_donor_of_tokens_may_be_another_model(root: Path, tmp_path: Path) -> None:
    """A model that gives only its tokenizer may compute something else: no weight is used."""
    folder = other(root, tmp_path, hidden_act="relu")
    whole = "merge_method: passthrough\nmodels: [{model: $one}]\ntokenizer_source: %s"

    assert lowered(whole % folder, root).plan.tensors
