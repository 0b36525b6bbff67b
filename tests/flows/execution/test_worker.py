"""A worker process, in this one: why it cannot start, and what it makes of a candidate."""

import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from types import FrameType

import pytest

from flows.execution import worker
from flows.execution.candidates.candidate_scorer import CandidateScorer
from flows.execution.error_log import ERROR_LOG
from flows.execution.executor import CandidateJob, WorkerSettings
from stages.errors import GermlineError
from stages.params.merge_params import MergeParams
from stages.params.model_params import ModelParams
from tests.flows.execution.conftest import a_recipe, recipe_on

SCORER = """
def score(item, answer):
    {body}
"""


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test find a process that has not started."""
    monkeypatch.setattr(worker._Process, "scorer", None)
    monkeypatch.setattr(worker._Process, "fault", None)


def with_scorer(settings: WorkerSettings, body: str) -> WorkerSettings:
    """Return settings whose answers are scored by a function of this body."""
    Path("data/own.py").write_text(SCORER.format(body=body), encoding="utf-8")
    task = {"task": "spanish_arithmetic", "scorer": "data/own.py:score"}
    params = type(settings.evaluate).model_validate(
        {**settings.evaluate.model_dump(exclude_unset=True), "tasks": [task]}
    )
    return replace(settings, evaluate=params)


def test_a_start_that_fails_is_told_once_with_its_cause(settings: WorkerSettings) -> None:
    """An error that is not ours is one line; the file that it names has the traceback."""
    worker.start(replace(settings, parents=None))  # type: ignore[arg-type]

    with pytest.raises(GermlineError) as caught:
        worker.run(CandidateJob(a_recipe(), "search"))
    said = str(caught.value)
    assert "a worker process cannot start: TypeError" in said
    assert 1 == len(said.splitlines())
    assert f"Its traceback is in {ERROR_LOG}." in said
    text = ERROR_LOG.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "TypeError" in text


def test_a_start_that_our_own_check_refuses_keeps_its_message(settings: WorkerSettings) -> None:
    """It is known to be the run's fault, so no traceback is written."""
    worker.start(replace(settings, merge=MergeParams(plugins=["no/such.py"])))

    with pytest.raises(GermlineError, match=r"no/such\.py"):
        worker.run(CandidateJob(a_recipe(), "search"))
    assert not ERROR_LOG.exists()


def test_a_candidate_fails_by_its_weights_alone(settings: WorkerSettings) -> None:
    """Weights that overflow and an answer that a scorer divides by are failed outcomes."""
    scorer = CandidateScorer(with_scorer(settings, "return 1 / len('')"))

    heavy = replace(recipe_on(settings, 1e6), dtype="float16")
    too_large = scorer.outcome(CandidateJob(heavy, "search"))
    unscored = scorer.outcome(CandidateJob(recipe_on(settings), "search"))

    assert (None, None) == (too_large.weights_hash, too_large.evaluation)
    assert "float16" in str(too_large.error)
    assert unscored.weights_hash is not None
    assert "ZeroDivisionError" in str(unscored.error)


@pytest.mark.parametrize(
    "body",
    [
        "return float(open('/nowhere/at/all').read())",
        "import no_such_library",
        "raise MemoryError",
    ],
)
def test_a_fault_of_the_machine_stops_the_run(settings: WorkerSettings, body: str) -> None:
    """A file, a library or memory that is missing fails no candidate."""
    worker.start(with_scorer(settings, body))

    with pytest.raises(GermlineError) as caught:
        worker.run(CandidateJob(recipe_on(settings), "search"))

    assert 1 == len(str(caught.value).splitlines())


def test_a_backend_that_loads_folders_scores_alike(settings: WorkerSettings) -> None:
    """lm_eval's own class gives a candidate the scores and the hash of the resident model."""
    job = CandidateJob(recipe_on(settings), "search")
    native = ModelParams(model="hf", model_args={"dtype": "float32"})
    evaluate = settings.evaluate.model_copy(update={"backend": native})
    outcome = CandidateScorer(replace(settings, evaluate=evaluate)).outcome(job)
    assert CandidateScorer(settings).outcome(job) == outcome


def test_a_recipe_comes_to_the_tensors_in_few_calls(settings: WorkerSettings) -> None:
    """From the worker to a parent's tensor it is handed on twelve times at most.

    It comes back to no room that it has left.
    """
    worker.start(settings)
    job = CandidateJob(recipe_on(settings), "search")
    ways: set[tuple[str, ...]] = set()

    def note(frame: FrameType | None, event: str, _: object) -> None:
        if event != "call" or not _file(frame).endswith("stages/merge/arithmetic/method.py"):
            return
        way = []
        while frame is not None:
            way.append(_file(frame))
            frame = frame.f_back
        ways.add(tuple(file for file in reversed(way) if "/stages/" in file or "/flows/" in file))

    sys.setprofile(note)
    try:
        worker.run(job)
    finally:
        sys.setprofile(None)

    read = [way for way in ways if any("/merge/engine/" in file for file in way)]
    assert read
    for way in read:
        files = way[way.index(str(Path(worker.__file__))) :]
        rooms = [room for room, _ in groupby(Path(file).parent for file in files)]
        assert len(files) <= 12
        assert len(rooms) == len(set(rooms))


def _file(frame: FrameType | None) -> str:
    return "" if frame is None else frame.f_code.co_filename
