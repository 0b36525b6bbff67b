"""With what scores are computed: libraries in every key, the machine's kind on record."""

import json
from importlib.metadata import version

import pytest

from stages.evaluate.score_environment import PACKAGES, in_words, machine
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams

PARAMS = EvaluateParams.model_validate(
    {
        "include_path": "data/tasks",
        "splits": {"search": 4, "validation": 4, "test": 4},
        "tasks": [{"task": "spanish_arithmetic"}],
    }
)


@pytest.mark.parametrize("name", PACKAGES)
def test_another_version_of_a_library_is_another_key(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """After an upgrade no score of before is looked up."""
    before = Suite.load(PARAMS).key("search")
    monkeypatch.setattr(
        "stages.evaluate.score_environment.version", lambda n: "0.0" if n == name else version(n)
    )

    assert before != Suite.load(PARAMS).key("search")


def test_builds_of_one_version_share_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a build, such as +cpu, is the machine's matter."""
    before = Suite.load(PARAMS).key("search")
    monkeypatch.setattr(
        "stages.evaluate.score_environment.version",
        lambda n: version(n).partition("+")[0] + "+other",
    )

    assert before == Suite.load(PARAMS).key("search")


def test_a_machine_is_described_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The description is plain data without a name of the host, and knows MKL's switches."""
    monkeypatch.delenv("MKL_CBWR", raising=False)
    kind = machine("cpu")
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    switched = machine("cpu")

    assert kind == json.loads(json.dumps(kind))
    assert kind != switched
    assert "MKL_CBWR=COMPATIBLE" in in_words(switched)
    assert kind["level"] in in_words(kind)
    assert "\n" not in in_words(kind)
