"""``germline evaluate`` as a person types it."""

import json
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import main
from tests.evaluate.conftest import write_lines, write_model
from tests.flows.conftest import environment, wait_until
from tests.flows.forked_command import started


@pytest.fixture
def at_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two pico models and a file of questions; no project."""
    for seed, name in enumerate(("one", "two"), start=1):
        write_model(tmp_path / name, seed)
    rows = [{"prompt": f"{i} or 3?", "choices": ["red", "blue"], "answer": "A"} for i in range(9)]
    write_lines(tmp_path / "colours.jsonl", rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluated(*words: str, code: int = 0) -> Result:
    """Run the command; it must end with ``code``."""
    result = CliRunner().invoke(main, ["evaluate", *words])
    assert code == result.exit_code, result.output
    return result


@pytest.mark.usefixtures("at_models")
def test_models_are_compared_in_a_table_and_in_json() -> None:
    """Scores with errors, and the paired difference; the steps are on stderr."""
    result = evaluated("one", "two", "--tasks", "colours.jsonl", "--json")
    data = json.loads(result.stdout)
    assert data["split"] == "all"
    (one,), (two,) = (model["tasks"] for model in data["models"])
    assert ("colours", "acc", 9) == (one["task"], one["metric"], one["num_items"])
    (difference,) = data["differences"]
    assert pytest.approx(two["score"] - one["score"]) == difference["difference"]
    table = evaluated("one", "two", "--tasks", "colours.jsonl")
    for model in (one, two):
        assert f"{model['score']:.4f} ± {model['error']:.4f}" in table.stdout
    assert f"two less one: {difference['difference']:+.4f} ± " in table.stdout
    assert "one: 9 items of 1 task, 18 requests" in table.stderr


@pytest.mark.usefixtures("at_models")
def test_a_fault_is_one_line() -> None:
    """On stderr, with what is legal; nothing else is printed, and no sample written."""
    for words, message in (
        (("one",), "params.yaml: no such file, and no task is named. Name tasks with --tasks"),
        (("g05-c03", "--tasks", "colours.jsonl"), "a candidate belongs to a project, and there"),
        (
            ("one", "--tasks", "colours.jsonl", "--set", "truncation=true"),
            "truncation is an argument of the model. Give model_args.truncation=true.",
        ),
        (("./oen", "--tasks", "colours.jsonl"), "no such folder. Did you mean 'one'?"),
    ):
        result = evaluated(*words, "--samples", "samples.jsonl", code=1)
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert message in line
        assert result.stdout == ""
        assert not Path("samples.jsonl").exists()


@pytest.mark.usefixtures("at_models")
def test_a_fault_of_named_tasks_says_which_option_it_is() -> None:
    """Their keys stand in no params.yaml; one that names no key is as it was."""
    hint = "On this command line such keys are --metric"
    wrong = evaluated("one", "--tasks", "colours.jsonl", "--metric", "accuracy", code=1).stderr
    assert "set it under evaluate.tasks." in wrong
    assert hint in wrong.splitlines()[-1]
    absent = evaluated("one", "--tasks", "gone.csv", code=1).stderr
    assert "--tasks gone.csv: no such file." in absent
    assert hint not in absent


@pytest.mark.usefixtures("at_models")
def test_empty_list_of_tasks_is_wrong_usage() -> None:
    """Nothing between the commas: the tasks of params.yaml are not taken instead."""
    assert "names no task" in evaluated("one", "--tasks", " ,", code=2).stderr


def test_a_folder_inside_the_project_does(
    at_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings are those of the project around the folder; paths are the folder's own."""
    for name in ("params.yaml", "dvc.yaml"):
        Path(name).write_text("{}\n", encoding="utf-8")
    deep = at_models / "data/tasks"
    deep.mkdir(parents=True)
    (at_models / "colours.jsonl").rename(deep / "colours.jsonl")
    monkeypatch.chdir(deep)
    words = ("../../one", "--tasks", "colours.jsonl", "--samples", "samples.jsonl", "--json")
    (model,) = json.loads(evaluated(*words).stdout)["models"]
    assert [("colours", 9)] == [(task["task"], task["num_items"]) for task in model["tasks"]]
    assert (deep / "samples.jsonl").is_file()
    said = evaluated("../../one", code=1).stderr
    assert "error: params.yaml, line 1: evaluate: missing" in said  # in that of the project


def test_a_group_has_a_row_after_its_tasks(at_models: Path) -> None:
    """Of each model, with lm-eval's aggregate over tasks of different sizes; JSON has it, too."""
    tasks = at_models / "tasks"
    tasks.mkdir()
    for name, size in (("few", 3), ("many", 6)):
        rows = [{"q": f"{name} {i}?", "gold": i % 2} for i in range(size)]
        write_lines(at_models / f"{name}.jsonl", rows)
        config = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": f"{name}.jsonl"}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{q}}",
            "doc_to_choice": ["a", "b"],
            "doc_to_target": "gold",
        }
        (tasks / f"{name}.yaml").write_text(json.dumps(config))
    group = {"group": "both", "task": ["few", "many"], "aggregate_metric_list": {"metric": "acc"}}
    (tasks / "both.yaml").write_text(json.dumps(group))
    words = ("one", "two", "--tasks", "both", "--include-path", "tasks")
    table = evaluated(*words).stdout
    for model in json.loads(evaluated(*words, "--json").stdout)["models"]:
        few, many = (task["score"] for task in model["tasks"])
        (both,) = model["groups"]
        assert ("both", "acc", 9) == (both["group"], both["metric"], both["num_items"])
        assert pytest.approx((3 * few + 6 * many) / 9) == both["score"]
        assert f"{both['score']:.4f} ± {both['stderr']:.4f}" in table
    (row,) = [line.split() for line in table.splitlines() if "both" in line]
    assert row[:4] == ["both", "(group)", "acc", "9"]


@pytest.mark.usefixtures("fork_server")
def test_ctrl_c_ends_in_one_line(at_models: Path, tmp_path: Path) -> None:
    """While models are scored: exit code 130, and no sample is written."""
    rows = [{"prompt": f"{i}", "answer": "x"} for i in range(2000)]
    write_lines(Path("many.jsonl"), rows)
    command = ["evaluate", "one", "--tasks", "many.jsonl", "--samples", "out.jsonl"]
    log = tmp_path / "said.log"
    child = started([*command, "--batch-size", "1"], at_models, environment(), log)
    wait_until(lambda: log.exists() and "2000 requests" in log.read_text(encoding="utf-8"))
    before = log.read_text(encoding="utf-8")
    assert before.startswith("loading PyTorch and lm-eval\n")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    child.join(timeout=60)
    said = log.read_text(encoding="utf-8").removeprefix(before)
    assert (130, "stopped: nothing was written\n") == (child.exitcode, said)
    assert not (at_models / "out.jsonl").exists()


def test_help_says_what_a_model_is() -> None:
    """A new user reads what may be given, and sees an example."""
    said = " ".join(evaluated("--help").output.split())
    for expected in ("MODEL is a folder, ORG/NAME", "germline evaluate data/champion"):
        assert expected in said
