"""A lone folder of a merged model, judged by its card."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.audit.child_audit import audit_children
from flows.audit.run_audit import Audit
from flows.cli.main import main
from tests.flows.audit.conftest import NoSteps, flip
from tests.flows.typed import merged

TIES = """
merge_method: ties
base_model: base
models: [{model: one}, {model: two}]
parameters: {weight: 0.5, density: 0.5}
dtype: float32
"""


@pytest.fixture
def child(here_with_models: Path) -> Path:
    """A merged model, with its models next to it."""
    merged(TIES)
    return here_with_models / "out"


@pytest.fixture
def here_with_models(llamas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds the models, with a cache of its own."""
    folder = tmp_path / "here"
    shutil.copytree(llamas, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GERMLINE_CACHE", str(tmp_path / "cache"))
    return folder


def judged(folder: Path) -> Audit:
    """Return the audit of a folder."""
    return audit_children([folder], NoSteps())


def test_whole_child_is_equal_and_says_what_is_not_known(child: Path) -> None:
    """Its id, its weights and its files; scores are not in a folder."""
    result = judged(child)
    assert result.agrees
    assert "scores: a folder holds none" in str(result.verdicts[0].unchecked)
    said = CliRunner().invoke(main, ["audit", str(child)])
    assert 0 == said.exit_code, said.output
    assert "equal" in said.output


def test_bit_of_a_child_is_named_with_its_tensor(child: Path) -> None:
    """The hash in the card, then the tensor and the number in it."""
    flip(child / "model.safetensors")
    said = str(judged(child).verdicts)
    assert "weights hash" in said
    assert "tensor model.norm.weight, number" in said
    assert 1 == CliRunner().invoke(main, ["audit", str(child)]).exit_code


def test_changed_card_and_config_are_named(child: Path) -> None:
    """A recipe that has another id than the card says, and a config that is not the child's."""
    card = child / "README.md"
    card.write_text(card.read_text("utf-8").replace("0.5", "0.25"), "utf-8")
    config = child / "config.json"
    config.write_text(config.read_text("utf-8").replace("1e-06", "1e-05"), "utf-8")
    said = str(judged(child).verdicts)
    assert "out/config.json" in said
    edited = card.read_text("utf-8").replace("Recipe `", "Recipe `0", 1).replace("0`, w", "`, w")
    card.write_text(edited, "utf-8")
    assert "out/README.md" in str(judged(child).verdicts)


def test_child_without_its_models_is_judged_by_its_card_alone(child: Path) -> None:
    """What could not be checked is said, with the hashes of the models."""
    for name in ("base", "one", "two"):
        shutil.rmtree(child.parent / name)
    result = judged(child)
    assert result.agrees
    assert "were not found" in str(result.verdicts[1].unchecked)


def test_models_are_looked_for_next_to_the_folder_and_in_places_that_are_given(
    child: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever folder the command is typed in; a place that holds another model is said."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert "were not found" not in str(judged(child).verdicts)

    moved = tmp_path / "moved"
    shutil.move(child.parent / "one", moved)
    said = CliRunner().invoke(main, ["audit", str(child)]).output
    assert "next to out. Give them by --model one=PLACE" in said
    given = ["audit", str(child), "--model"]
    said = CliRunner().invoke(main, [*given, f"one={moved}"]).output
    assert "equal   out: weights merged again from its models" in said
    said = CliRunner().invoke(main, [*given, f"one={child.parent / 'two'}"]).output
    assert "holds the weights" in said


def test_places_are_of_a_folder(child: Path) -> None:
    """A run has its own models, and a place needs a name."""
    for words, reason in (
        (["champion", "--model", "one=x"], "--model goes with FOLDER"),
        ([str(child), "--model", "one"], "write NAME=PLACE"),
    ):
        said = CliRunner().invoke(main, ["audit", *words])
        assert 2 == said.exit_code
        assert reason in said.output
