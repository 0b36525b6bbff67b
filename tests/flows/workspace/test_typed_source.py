"""Sources of models as a person types them."""

from pathlib import Path

import pytest

from flows.workspace.typed_source import is_of_hub, source_fault


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models: one here, one in the folder models."""
    for name in ("mine", "models/other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        *("mine", "./mine", "local:mine", "models/other", "mine+adapter", "zoo:math", "run:gone"),
        *("org/name", "org/name@main", "gpt2@main", "models/gone@main"),
    ],
)
def test_what_is_there_or_may_be_elsewhere_is_taken(text: str) -> None:
    """Folders are there; models of the zoo, the hub and earlier runs are looked up later."""
    assert source_fault(text) is None


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("gone", "a model of the hub is ORG/NAME, or NAME@REVISION; models here: mine"),
        ("./gone", "models here: mine"),
        ("local:gone", "models here: mine"),
        ("models/gone", "models in models: other"),
        ("a/b/c", "models here: mine"),
        ("gone+adapter", "models here: mine"),
    ],
)
def test_a_folder_that_is_missing_is_said_with_those_near(text: str, near: str) -> None:
    """Nothing that can only be a folder is asked of the hub."""
    fault = source_fault(text)
    assert fault is not None
    assert fault.startswith("no such folder;")
    assert fault.endswith(near)


def test_a_name_without_revision_is_of_the_hub() -> None:
    """Only what is neither a folder nor spelt otherwise is looked for on the hub unasked."""
    texts = ("org/name", "mine", "zoo:math", "org/name@main")
    assert [is_of_hub(text) for text in texts] == [True, False, False, False]
