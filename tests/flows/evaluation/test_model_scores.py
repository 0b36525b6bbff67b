"""A model's scores: those that a run gives, with what was asked and answered."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.evaluation.evaluate_job import EvaluateJob
from flows.evaluation.evaluation_progress import EvaluationProgress
from flows.evaluation.model_scores import ModelScores, score_models
from flows.evaluation.named_model import check_model_name
from flows.execution.candidates.candidate_scorer import CandidateScorer
from flows.execution.executor import CandidateJob
from stages.errors import EvaluationError, GermlineError, LineageError
from stages.lineage.evaluation import Evaluation
from stages.lineage.rows import LINEAGE, read_rows
from stages.params.merge_params import MergeParams
from tests.flows.evaluation.conftest import lines_of, worker_settings
from tests.flows.inspection.small_run import write_run

Score = Callable[..., ModelScores]


@pytest.fixture
def score() -> Score:
    """Score models as the command does."""

    def run(*models: str, **options: Any) -> ModelScores:
        with EvaluationProgress() as progress:
            return score_models(EvaluateJob(models, **options), progress)

    return run


def of_run(name: str, split: str) -> Evaluation:
    """Return what a worker of a run says of a candidate."""
    (row,) = [row for row in read_rows(LINEAGE / "genomes.jsonl") if row.name == name]
    evaluation = CandidateScorer(worker_settings()).outcome(CandidateJob(row.recipe, split))
    assert evaluation.evaluation is not None
    return evaluation.evaluation


@pytest.mark.usefixtures("at_zoo")
def test_a_candidate_scores_as_in_a_run(score: Score) -> None:
    """By its name or its id, bit for bit; its weights are merged again and not kept."""
    row = read_rows(LINEAGE / "genomes.jsonl")[1]
    assert not list(Path(".scratch").rglob("*.safetensors"))
    scores = score("g00-c01", row.id[:12])
    expected = of_run("g00-c01", "test")
    assert scores.evaluations == {"g00-c01": expected, row.id[:12]: expected}
    assert scores.weights == {"english_arithmetic": 2.0, "english_sorting": 1.0}
    assert not list(Path(".scratch").rglob("*.safetensors"))
    assert score("g00-c01", split="validation").evaluations["g00-c01"] == of_run(
        "g00-c01", "validation"
    )


@pytest.mark.usefixtures("at_zoo")
def test_samples_say_what_was_asked_and_answered(score: Score, tmp_path: Path) -> None:
    """One line for each item and model, with its prompt, its answers and its score."""
    out = tmp_path / "samples.jsonl"
    scores = score("data/zoo/math", "data/zoo/order", samples=out)
    lines = lines_of(out)
    assert [("data/zoo/math", 12), ("data/zoo/order", 12)] == [
        (model, len([line for line in lines if line["model"] == model]))
        for model in scores.evaluations
    ]
    for line in lines:
        evaluation = scores.evaluations[str(line["model"])]
        (own,) = [i for i in evaluation.items if (i.task, i.item) == (line["task"], line["item"])]
        assert own.score == line["score"]
        if line["task"] == "english_arithmetic":
            likelihoods, targets = line["loglikelihoods"], line["targets"]
            assert isinstance(likelihoods, list)
            assert isinstance(targets, list)
            assert 4 == len(likelihoods) == len(targets)
            assert all(value < 0.0 for value in likelihoods)
        else:
            assert isinstance(line["text"], str)
        assert line["prompt"]


@pytest.mark.usefixtures("at_zoo")
def test_a_limit_takes_the_first_items(score: Score) -> None:
    """Of a split, or of all items in the order of the documents."""
    whole = score("data/zoo/math", split="test").evaluations["data/zoo/math"]
    some = score("data/zoo/math", split="test", limit=2).evaluations["data/zoo/math"]
    first = [[i for i in whole.items if i.task == task.task][:2] for task in whole.tasks]
    assert [item.item for items in first for item in items] == [item.item for item in some.items]
    both = score("data/zoo/math", split="all", limit=3).evaluations["data/zoo/math"]
    assert [3, 3] == [task.num_items for task in both.tasks]


@pytest.mark.usefixtures("at_zoo")
@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        (
            "g00-c02",
            LineageError,
            r"not a candidate of .* holds 2 candidates, .* Did you mean 'g00-c0[01]'",
        ),
        ("0" * 12, LineageError, "not a candidate of"),
        (
            "data/zoo/maht",
            GermlineError,
            r"^model data/zoo/maht: no such folder. Did you mean 'data/zoo/math'\? Give a folder "
            "that is there.$",
        ),
        (
            "data/zo",
            GermlineError,
            r"^model data/zo: no such folder. Did you mean 'data/zoo'\? Give a folder that is "
            "there; write data/zo@main for a model of the hub.$",
        ),
        ("params.yaml/x", GermlineError, "not among what the hub sent before"),
        ("./params.yaml", GermlineError, "a file. Give the folder of a model"),
        ("zoo:math", GermlineError, r"^model zoo:math: zoo: is for .* Write data/zoo/math.$"),
        ("local:data/zoo/math", GermlineError, r"Write data/zoo/math.$"),
        (
            "zoe",
            GermlineError,
            r"Nor is it a candidate of .*\(2 candidates, g00-c00 to g00-c01\).* at least 4 digits",
        ),
        (
            "math",
            GermlineError,
            r"id or weights hash\. For the run's parent write data/parents/math\.$",
        ),
        ("", GermlineError, "not the name of a model"),
    ],
)
def test_a_mistyped_model_is_told_with_the_nearest(
    score: Score, name: str, kind: type[Exception], message: str
) -> None:
    """Candidates, ids and folders."""
    with pytest.raises(kind, match=message):
        score(name, limit=1, offline=True)


@pytest.mark.usefixtures("at_zoo")
def test_an_id_cut_too_short_is_completed(score: Score) -> None:
    """Whether or not the hub can be reached: it is not asked."""
    row = read_rows(LINEAGE / "genomes.jsonl")[0]
    with pytest.raises(LineageError, match=f"at least 4, .* those of {row.name}"):
        score(row.id[:3])


@pytest.mark.usefixtures("at_zoo")
@pytest.mark.parametrize("word", ["g0-c1", "G00-C01", "g00c01", "g00-c011", "c01", "gO0-c01"])
def test_a_slip_of_a_candidate_is_not_asked_of_the_hub(score: Score, word: str) -> None:
    """The nearest name is said, and how a model of the hub with that name is given."""
    with pytest.raises(LineageError, match=rf"^model {word}: .*'g00-c01'.* the hub {word}@main"):
        score(word)


@pytest.mark.usefixtures("at_zoo")
def test_samples_that_cannot_be_written_are_known_first(score: Score, tmp_path: Path) -> None:
    """Before anything is loaded."""
    with pytest.raises(EvaluationError, match=r"is a folder. Give the name of a new file"):
        score("none", samples=tmp_path)
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(EvaluationError, match=rf"{name}: already there. Give a new name"):
            score("none", samples=tmp_path / name)
    assert "kept" == (tmp_path / "file").read_text()
    with pytest.raises(EvaluationError, match=r"there is no folder .*new/deep. Make it"):
        score("none", samples=tmp_path / "new" / "deep" / "samples.jsonl")
    assert not (tmp_path / "new").exists()
    with pytest.raises(EvaluationError, match="cannot be written"):
        score("none", samples=tmp_path / "file" / "samples.jsonl")


@pytest.mark.usefixtures("at_zoo")
def test_a_model_is_named_once(score: Score) -> None:
    """The second would not be shown."""
    with pytest.raises(EvaluationError, match=r"model data/zoo/math: named twice"):
        score("data/zoo/math", "data/zoo/order", "data/zoo/math")


@pytest.mark.usefixtures("at_zoo")
def test_wrong_models_are_all_told_before_tasks_are_loaded(
    score: Score, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in the second model does not wait for the first, nor for the tasks."""
    with pytest.raises(GermlineError) as caught:
        score("data/zoo/math", "data/zoo/maht", "g00-c07", "data/zoo/math", offline=True)
    said = ("data/zoo/maht: no such folder", "g00-c07: ", "data/zoo/math: named twice")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(any(line.startswith(f"model {part}") for line in lines) for part in said)
    assert "loading tasks" not in capsys.readouterr().err


@pytest.mark.usefixtures("at_zoo")
def test_what_a_model_cannot_be_asked_is_told_before_another_is_scored(score: Score) -> None:
    """Of every model, each fault."""
    settings = ("apply_chat_template=true", "model_args.max_length=6")
    with pytest.raises(EvaluationError) as caught:
        score("data/zoo/math", "data/zoo/order", settings=settings)
    lines = str(caught.value).splitlines()
    for name in ("math", "order"):
        own = [line for line in lines if line.startswith(f"model data/zoo/{name}")]
        said = ("no chat template", "task english_arithmetic, item", "task english_sorting, item")
        assert all(any(part in line for line in own) for part in said), own


def test_the_champion_is_a_model_as_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word means the row that was chosen; before that it is said, and no hub is asked."""
    write_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    check_model_name("champion", MergeParams(), offline=False)
    shutil.rmtree("data/selection")
    with pytest.raises(LineageError, match="no champion was chosen from these candidates yet"):
        check_model_name("champion", MergeParams(), offline=False)
