"""What models are scored on, by params.yaml and the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.evaluation.evaluate_job import EvaluateJob
from flows.evaluation.task_choice import TaskChoice, choose_tasks, own_params
from stages.errors import GermlineError
from stages.merge.outputs.model_folder import num_cores
from tests.evaluate.conftest import write_lines
from tests.evaluate.own_python.conftest import NUM_ITEMS, write_task

Choose = Callable[..., TaskChoice]


@pytest.fixture
def choose() -> Choose:
    """Choose tasks as the command does."""

    def run(*tasks: str, **options: Any) -> TaskChoice:
        if "include_path" in options:
            options["include_path"] = Path(options["include_path"])
        job = EvaluateJob(("model",), tasks, **options)
        params = own_params(job)
        return choose_tasks(job, None if params is None else params.evaluate)

    return run


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tasks and data without params.yaml, next to the working folder."""
    for name in ("data", "tasks", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    data = {"data_files": {"test": "../data/own.jsonl"}}
    rows = [{"q": f"{i}?", "a": "x", "prompt": f"{i}?", "answer": "x"} for i in range(NUM_ITEMS)]
    write_lines(tmp_path / "data" / "own.jsonl", [*rows, rows[0]])
    exact = [
        {"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("ok", "twice")
    ]
    write_task(tmp_path, dataset_kwargs=data, metric_list=exact)
    code = "def score(doc, results):\n    return {'ok': 1.0, 'twice': 2.0}\n"
    (tmp_path / "tasks" / "code.py").write_text(code)
    return tmp_path


@pytest.mark.usefixtures("own")
def test_tasks_may_lie_anywhere(choose: Choose) -> None:
    """All distinct items, in the order of the documents; params.yaml is not needed."""
    choice = choose("own", include_path="../tasks", batch_size=3)
    (part,) = choice.suite.parts["all"]
    assert list(part.places.values()) == list(range(NUM_ITEMS))
    assert ("ok", "own") == (part.loaded.metric, part.label)
    assert (3, num_cores()) == (choice.evaluate.batch_size, choice.evaluate.threads)
    assert own_params(EvaluateJob(("model",), ("own",))) is None
    other = choose("own", include_path="../tasks", metric="twice", limit=2)
    (part,) = other.suite.parts["all"]
    assert ("twice", 2) == (part.loaded.metric, other.num_items)


@pytest.mark.usefixtures("own")
def test_a_task_is_named_by_its_file_too(choose: Choose) -> None:
    """Its Python is found next to it; a file of questions is a task, too."""
    (part,) = choose("../tasks/own.yaml").suite.parts["all"]
    assert part.label == "own"
    assert part.sources
    write_lines(Path("mine.jsonl"), [{"prompt": "1?", "answer": "x"}])
    assert [1] == [len(part.places) for part in choose("mine.jsonl").suite.parts["all"]]


@pytest.mark.usefixtures("own")
def test_params_of_other_programs_are_left_alone(choose: Choose) -> None:
    """A params.yaml that is not germline's decides nothing where tasks are named."""
    Path("params.yaml").write_text("train: {epochs: 3}\nevaluate: {metric: loss}\n")
    assert choose("own", include_path="../tasks").num_items == NUM_ITEMS
    with pytest.raises(GermlineError, match=r"params.yaml, line 1: train: unknown key"):
        choose()


@pytest.mark.usefixtures("own")
def test_a_mistyped_task_of_the_project_is_known(choose: Choose) -> None:
    """Its name is proposed before one of the thousands that come with lm-eval."""
    section = "{tasks: [{data: questions.csv}], splits: {search: 1, validation: 1, test: 1}}"
    sources = "{base: 'zoo:base', parents: {a: 'zoo:math', b: 'zoo:order'}}"
    Path("params.yaml").write_text(f"download: {sources}\nevaluate: {section}\n")
    for typo in ("questoins", "question.s"):
        with pytest.raises(GermlineError, match=rf"^--tasks {typo}: .* Did you mean 'questions'"):
            choose(typo)


@pytest.mark.usefixtures("at_zoo")
def test_the_projects_tasks_have_its_settings(choose: Choose) -> None:
    """The test split by default; another task is taken whole, with the other keys of params."""
    assert ("test", 12) == ((choice := choose()).split, choice.num_items)
    assert choice.evaluate.tasks[0].weight == 2.0
    one = choose("english_arithmetic", split="search")
    assert 4 == one.num_items
    assert one.suite.weights == {"english_arithmetic": 2.0}
    both = choose("english_arithmetic", "spanish_arithmetic", limit=7, settings=("threads=2",))
    assert ("all", 14, 2, 4) == (
        both.split,
        both.num_items,
        both.evaluate.threads,
        both.evaluate.batch_size,
    )


@pytest.mark.usefixtures("at_zoo")
@pytest.mark.parametrize(
    ("tasks", "options", "message"),
    [
        (["english_sortin"], {}, "^--tasks english_sortin: no such task. Those of params.yaml: "),
        (["spanish_arithmetik"], {"split": "all"}, "Did you mean '(spanish|english)_arithmetic'"),
        (["q.txt"], {}, r"^--tasks q.txt: neither .* in .csv, .tsv, .jsonl, .*in .yaml or .yml"),
        (["../q.csv"], {}, r"^--tasks ../q.csv: leads out of this folder"),
        (["q.csv"], {}, r"^--tasks q.csv: no such file. Paths are relative to this folder"),
        (["english_arithmetik"], {}, "no such task.*Did you mean 'english_arithmetic'"),
        (["data/tasks/english_sortin.yaml"], {}, "no such file. Did you mean 'english_sorting.y"),
        ([], {"split": "tset"}, "no such split. Legal: search.*Did you mean 'test'"),
        ([], {"metric": "f2"}, "has no metric 'f2'. Legal: "),
        ([], {"device": "cuda:99"}, "is not on this machine"),
        ([], {"include_path": "data/tsaks"}, "not a folder.*Did you mean 'tasks'"),
        ([], {"settings": ("num_fewshoot=1",)}, "evaluate: num_fewshoot: unknown key.*Did you"),
        ([], {"settings": ("num_fewshot",)}, "not KEY=VALUE"),
        ([], {"settings": ("batch_size=1",)}, "Give --batch-size"),
        ([], {"settings": ("gen_kwargs={",)}, "not YAML"),
        ([], {"settings": ("model_args.dtyp=1",)}, "unknown argument 'dtyp'"),
        (["english_sorting", "english_sorting"], {}, "listed twice"),
    ],
)
def test_what_is_mistyped_is_named(
    choose: Choose, tasks: list[str], options: dict[str, Any], message: str
) -> None:
    """With what is legal, and the nearest name."""
    with pytest.raises(GermlineError, match=message):
        choose(*tasks, **options)


@pytest.mark.usefixtures("own")
def test_a_setting_reaches_into_mappings(choose: Choose) -> None:
    """Keys with dots lie over the rest of their mapping."""
    settings = ("gen_kwargs.max_gen_toks=3", "gen_kwargs.until=[]", "system_instruction=Be brief")
    evaluate = choose("own", include_path="../tasks", settings=settings).evaluate
    assert evaluate.gen_kwargs == {"max_gen_toks": 3, "until": []}
    assert evaluate.system_instruction == "Be brief"
