"""A user's own scorer: what it is given, and what is said where it is wrong."""

from pathlib import Path

import pytest

from stages.errors import EvaluationError
from stages.evaluate.measures.measured_answer import Answer
from stages.evaluate.measures.user_scorer import UserScorer

GOOD = '''
"""Scores by the item's own column."""


def score(item, answer):
    """The share of the item's words that the answer holds."""
    words = item.pop("words")
    return sum(word in answer for word in words) / len(words)


def broken(item, answer):
    """Fails on every item."""
    return item["no such column"]


def endless(item, answer):
    """Gives infinity."""
    return float("inf")


def wordy(item, answer):
    """Gives text."""
    return "well done"


LIMIT = 3
'''


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a file of scorers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scorers").mkdir()
    (tmp_path / "scorers/mine.py").write_text(GOOD)
    return tmp_path


def test_scorer_gets_item_and_answer() -> None:
    """The score is what the function returns; what it does to the item stays with it."""
    item = {"words": ["red", "blue"]}
    scorer = UserScorer("scorers/mine.py:score")

    assert [0.5, 0.5] == [scorer.score(Answer(item, "red", "task t, item i")) for _ in range(2)]
    assert {"words": ["red", "blue"]} == item


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", r"^task t, item i: scorer scorers/mine\.py: KeyError: .*\(line 13\)"),
        ("endless", r"^task t, item i: scorer scorers/mine\.py gives inf"),
        ("wordy", r"^task t, item i: .*ValueError: could not convert string"),
    ],
)
def test_failure_names_the_item(name: str, message: str) -> None:
    """What a scorer raises is told with item, file and line."""
    with pytest.raises(EvaluationError, match=message):
        UserScorer(f"scorers/mine.py:{name}").score(Answer({}, "", "task t, item i"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("scorers/none.py:score", r"scorer scorers/none\.py: no such file"),
        ("../mine.py:score", r"leads out of the project folder"),
        ("scorers/mine.py:scor", r"no function 'scor'. It has: .*Did you mean 'score'\?"),
        ("scorers/mine.py:LIMIT", r"no function 'LIMIT'"),
        ("scorers/bad.py:score", r"scorers/bad\.py: cannot be loaded: SyntaxError"),
        ("scorers/worse.py:score", r"cannot be loaded: ZeroDivisionError: .*\(line 1\)"),
    ],
)
def test_file_that_cannot_be_used_is_named(project: Path, spec: str, message: str) -> None:
    """A scorer is loaded before the run, and what is wrong with it is one clear line."""
    (project / "scorers/bad.py").write_text("def score(:\n")
    (project / "scorers/worse.py").write_text("1 / 0\n")
    with pytest.raises(EvaluationError, match=message):
        UserScorer(spec)


def test_loading_leaves_nothing_behind(project: Path) -> None:
    """No compiled file is written next to the scorer, and an edited one is loaded as it is."""
    before = UserScorer("scorers/mine.py:score").identity
    (project / "scorers/mine.py").write_text("def score(item, answer):\n    return 7\n")
    after = UserScorer("scorers/mine.py:score")
    assert before != after.identity
    assert 7.0 == after.score(Answer({}, "", "task t, item i"))
    assert ["mine.py"] == [path.name for path in (project / "scorers").iterdir()]


@pytest.mark.parametrize("end", ["raise SystemExit(2)", "raise KeyboardInterrupt"])
def test_wish_to_end_the_process_is_the_scorers_error(project: Path, end: str) -> None:
    """At import and as it scores; the working folder is as before."""
    (project / "scorers/ends.py").write_text(f"def score(item, answer):\n    {end}\n")
    (project / "scorers/at_once.py").write_text(f"import os\nos.chdir('/')\n{end}\n")
    said = (
        r"^task t, item i: scorer scorers/ends\.py: (SystemExit: 2|KeyboardInterrupt) \(line 2\)\."
    )
    with pytest.raises(EvaluationError, match=said):
        UserScorer("scorers/ends.py:score").score(Answer({}, "", "task t, item i"))
    with pytest.raises(EvaluationError, match=r"^scorer scorers/at_once\.py: cannot be loaded"):
        UserScorer("scorers/at_once.py:score")
    assert Path.cwd() == project


def test_scorer_that_remembers_is_refused(project: Path) -> None:
    """A default that fills, and a count that changes the score."""
    text = (
        "SEEN = []\ndef fills(item, answer, seen=[]):\n    seen.append(1)\n    return 1.0\n"
        "def counts(item, answer):\n    SEEN.append(1)\n    return len(SEEN)\n"
    )
    (project / "scorers/keeps.py").write_text(text)
    for name, message in (("fills", r"keeps\.fills remembers"), ("counts", r"SEEN remembers")):
        with pytest.raises(EvaluationError, match=f"^scored again .*{message}"):
            UserScorer(f"scorers/keeps.py:{name}").check({})
    UserScorer("scorers/mine.py:score").check({"words": ["a"]})


def test_identity_covers_what_the_scorer_imports(project: Path) -> None:
    """A changed helper is another scorer; one without imports is known by its file alone."""
    (project / "scorers/part.py").write_text("VALUE = 1.0\n")
    (project / "scorers/whole.py").write_text(
        "import sys\nsys.path.insert(0, 'scorers')\nimport part\n"
        "def score(item, answer):\n    return part.VALUE\n"
    )
    before = UserScorer("scorers/whole.py:score")
    (project / "scorers/part.py").write_text("VALUE = 0.50\n")  # Python sees another size
    after = UserScorer("scorers/whole.py:score")
    assert before.identity != after.identity
    empty = Answer({}, "", "")
    assert (before.score(empty), after.score(empty)) == (1.0, 0.5)
    assert set(UserScorer("scorers/mine.py:score").identity) == {"function", "source"}
