"""The suite: what is refused before a model is loaded, and what its key depends on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets.config
import pytest

from stages.errors import EvaluationError
from stages.evaluate.tasks.suite import Suite, check
from stages.lineage.evaluation import SPLITS
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.conftest import MULTIPLE_CHOICE, colour, write_lines

MakeParams = Callable[..., EvaluateParams]


@pytest.fixture
def own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of the test's own, with one task that may be changed."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "tasks" / "colours.yaml").write_text(MULTIPLE_CHOICE)
    write_lines(tmp_path / "data" / "colours.jsonl", [colour(i) for i in range(40)])
    write_lines(tmp_path / "data" / "colours_train.jsonl", [colour(i) for i in range(90, 99)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def items_of(suite: Suite, label: str) -> dict[str, list[str]]:
    """Return the items of one task by split."""
    return {
        split: list(part.places)
        for split in SPLITS
        for part in suite.parts[split]
        if part.label == label
    }


@pytest.mark.usefixtures("at_project")
def test_splits_are_disjoint_and_of_the_sizes_asked(make_params: MakeParams) -> None:
    """No item serves two splits; each has the size of evaluate.splits."""
    suite = Suite.load(make_params("colours", "sums"))
    items_by_split = items_of(suite, "colours")
    assert {"search": 10, "validation": 8, "test": 9} == {
        s: len(i) for s, i in items_by_split.items()
    }
    assert len({item for items in items_by_split.values() for item in items}) == 27
    assert suite.num_items("search") == 20
    assert suite.weights == {"colours": 1.0, "sums": 1.0}


@pytest.mark.usefixtures("at_project")
def test_adding_a_task_leaves_the_items_of_others(make_params: MakeParams) -> None:
    """A task's items are its own affair; the key covers all tasks."""
    alone, both = Suite.load(make_params("sums")), Suite.load(make_params("sums", "colours"))
    assert items_of(alone, "sums") == items_of(both, "sums")
    assert alone.key("search") != both.key("search")


def test_reordered_documents_change_nothing(own_project: Path, make_params: MakeParams) -> None:
    """The same documents in another order, one of them twice, give the same splits and key."""
    params = make_params("colours")
    before = Suite.load(params)
    docs = [colour(i * 7 % 40) for i in range(40)]
    write_lines(own_project / "data" / "colours.jsonl", [*docs, docs[0]])
    after = Suite.load(params)
    assert items_of(before, "colours") == items_of(after, "colours")
    assert [before.key(s) for s in SPLITS] == [after.key(s) for s in SPLITS]
    places = [dict(suite.parts["search"][0].places) for suite in (before, after)]
    assert places[0] != places[1]


def test_key_does_not_depend_on_the_folder(
    own_project: Path, make_params: MakeParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same project elsewhere on the disk has the same keys."""
    here = Suite.load(make_params("colours", num_fewshot=1)).key("test")
    elsewhere = own_project / "elsewhere"
    elsewhere.mkdir()
    for name in ("tasks", "data"):
        (own_project / name).rename(elsewhere / name)
    monkeypatch.chdir(elsewhere)
    assert here == Suite.load(make_params("colours", num_fewshot=1)).key("test")


@pytest.mark.usefixtures("at_project")
@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 5},
        {"num_fewshot": 1},
        {"seed": 1},
        {"system_instruction": "be brief"},
        {"model_args": {"dtype": "bfloat16"}},
        {"splits": {"search": 11, "validation": 8, "test": 9}},
        {"tasks": [{"task": "colours", "metric": "acc_norm"}]},
    ],
)
def test_key_depends_on_what_decides_scores(
    make_params: MakeParams, changes: dict[str, Any]
) -> None:
    """Whatever may change a score changes the key."""
    plain = Suite.load(make_params("colours")).key("search")
    assert plain != Suite.load(make_params("colours", **changes)).key("search")


@pytest.mark.usefixtures("at_project")
def test_key_does_not_depend_on_what_does_not(make_params: MakeParams) -> None:
    """Workers, retries, time-outs and weights decide no score; each split has its own key."""
    suite = Suite.load(make_params("colours"))
    other = Suite.load(
        make_params({"task": "colours", "weight": 3}, workers=4, retries=9, timeout_s=5)
    )
    assert suite.key("search") == other.key("search")
    assert len({suite.key(split) for split in SPLITS}) == 3


def test_key_changes_with_a_function_of_the_task(
    project: Path, own_project: Path, make_params: MakeParams
) -> None:
    """A task's own Python is part of the key, through the file that defines it."""
    for name in ("sums.yaml", "scoring.py"):
        (own_project / "tasks" / name).write_text((project / "tasks" / name).read_text())
    rows = (project / "data" / "sums.jsonl").read_text()
    (own_project / "data" / "sums.jsonl").write_text(rows)
    before = Suite.load(make_params("sums")).key("search")
    with (own_project / "tasks" / "scoring.py").open("a") as file:
        file.write("\nSCALE = 2\n")
    assert before != Suite.load(make_params("sums")).key("search")


@pytest.mark.usefixtures("at_project")
def test_limit_caps_the_documents_considered(make_params: MakeParams) -> None:
    """With a limit, only the first documents serve."""
    suite = Suite.load(make_params("colours", limit=27))
    places = {p for split in SPLITS for p in suite.parts[split][0].places.values()}
    assert set(range(27)) == places


def test_separate_tasks_serve_separate_splits(own_project: Path, make_params: MakeParams) -> None:
    """Tasks named under splits each give their own items, under the search task's label."""
    for number, name in enumerate(("one", "two", "three")):
        write_lines(
            own_project / "data" / f"{name}.jsonl",
            [colour(i) for i in range(20 * number, 20 * number + 20)],
        )
        text = (own_project / "tasks" / "colours.yaml").read_text()
        text = text.replace("task: colours", f"task: {name}")
        text = text.replace("data/colours.jsonl", f"data/{name}.jsonl")
        (own_project / "tasks" / f"{name}.yaml").write_text(text)
    named = {"search": "one", "validation": "two", "test": "three"}
    suite = Suite.load(make_params({"splits": named}))
    assert list(suite.weights) == ["one"]
    assert [len(items) for items in items_of(suite, "one").values()] == [10, 8, 9]

    with pytest.raises(EvaluationError, match="items serve both search and test"):
        Suite.load(make_params({"splits": named | {"test": "one"}}))
    with pytest.raises(EvaluationError, match=r"items serve .* in the one and .* in the other"):
        Suite.load(make_params("colours", {"splits": named}))
    Suite.load(make_params("colours", {"task": "colours", "name": "again"}))


def test_fewshot_examples_among_the_items_are_refused(
    own_project: Path, make_params: MakeParams
) -> None:
    """A prompt must not show an item that is scored."""
    write_lines(own_project / "data" / "colours_train.jsonl", [colour(i) for i in range(40)])
    assert Suite.load(make_params("colours")).num_items("search") == 10
    with pytest.raises(EvaluationError, match="10 search items are also few-shot examples"):
        Suite.load(make_params("colours", num_fewshot=1))


FAULTS = [
    ("colors", {}, r"task colors: no such task. .*Did you mean 'colours'\?"),
    ({"task": "colours", "metric": "acc_nrom"}, {}, r"no metric 'acc_nrom'. Legal: acc, acc_norm"),
    ({"task": "colours", "filter": "x"}, {}, r"no filter 'x'. Legal: none"),
    ("colours", {"limit": 20}, r"has 20 distinct items, 27 were asked for"),
    ("colours", {"num_fewshot": 10}, r"has 9 few-shot examples, num_fewshot asks for 10"),
    ("colours", {"include_path": "../elsewhere"}, r"leads out of the project folder"),
    ("colours", {"include_path": "nothing"}, r"'nothing' is not a folder"),
    ("colours", {"model_args": {"dtpye": "float32"}}, r"'dtpye'. Legal: .*mean 'dtype'\?"),
    ("colours", {"model_args": {"device": "cpu"}}, r"Set evaluate.device"),
    ("colours", {"model_args": {"dtype": "int3"}}, r"dtype is 'int3'. Legal: auto"),
    ("colours", {"model_args": {"max_length": -3}}, r"max_length is -3. Legal: a whole number"),
    ("colours", {"fewshot_as_multiturn": True}, r"Turns need a chat template"),
]


@pytest.mark.usefixtures("own_project")
@pytest.mark.parametrize(("task", "changes", "message"), FAULTS)
def test_fault_is_one_clear_message(
    make_params: MakeParams,
    task: str | dict[str, Any],
    changes: dict[str, Any],
    message: str,
) -> None:
    """Each fault in the parameters is named before any model is loaded."""
    with pytest.raises(EvaluationError, match=message):
        check(make_params(task, **changes))


def test_missing_data_are_named(own_project: Path, make_params: MakeParams) -> None:
    """A data file that is not there is named with what to do."""
    (own_project / "data" / "colours.jsonl").unlink()
    with pytest.raises(EvaluationError, match=r"task colours: its data are missing: .*colours\.j"):
        Suite.load(make_params("colours"))


@pytest.mark.usefixtures("own_project")
def test_cache_of_the_data_is_blamed_and_not_the_task(
    make_params: MakeParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system refuses to write, the message names the folder and the variable for it."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(EvaluationError) as caught:
        Suite.load(make_params("colours"))
    assert str(caught.value) == (
        f"task colours: its data cannot be read or cached: {tmp_path}/file/cache: "
        "Not a directory. Set HF_HOME to a folder with room in which you may write."
    )


def test_data_on_the_hub_are_not_fetched(own_project: Path, make_params: MakeParams) -> None:
    """A task whose data are on the hub says how to get them; nothing is downloaded."""
    text = (own_project / "tasks" / "colours.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("dataset_kwargs")]
    remote = "\n".join(lines).replace("dataset_path: json", "dataset_path: nobody/nothing")
    (own_project / "tasks" / "colours.yaml").write_text(remote)
    with pytest.raises(EvaluationError, match="HF_HUB_OFFLINE=0"):
        Suite.load(make_params("colours"))


@pytest.mark.usefixtures("at_project")
@pytest.mark.parametrize("load", [Suite.load, Suite.of_all_items])
def test_faults_of_all_tasks_and_arguments_are_listed(
    make_params: MakeParams, load: Callable[[EvaluateParams], Suite]
) -> None:
    """A second slip is not found only after the first is gone."""
    arguments = {"max_length": 0, "truncation": 1}
    params = make_params(
        "coulors", "sums", {"task": "prose", "metric": "acc"}, model_args=arguments
    )
    with pytest.raises(EvaluationError) as caught:
        load(params)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    said = ("max_length is 0", "truncation is 1", "task coulors: no such", "prose: has no metric")
    assert all(any(part in line for line in lines) for part in said)


def test_groups_are_refused_with_their_members(own_project: Path, make_params: MakeParams) -> None:
    """A group's scores are its tasks'; they are to be listed one by one."""
    group = {"group": "all_colours", "task": ["colours"]}
    (own_project / "tasks" / "group.yaml").write_text(json.dumps(group))
    with pytest.raises(EvaluationError, match=r"all_colours: is a group .* \{task: colours\}"):
        Suite.load(make_params("all_colours"))


@pytest.mark.usefixtures("at_project")
def test_estimates_need_means(make_params: MakeParams) -> None:
    """What is scored by no mean over its items is not estimated from a few of them."""
    tasks, few = [{"task": "prose", "metric": "byte_perplexity"}], {"kind": "mean", "num_items": 5}
    assert Suite.load(make_params(*tasks)).num_items("search") == 10
    said = r"task prose.*evaluate\.estimator: metric byte_perplexity is not the mean .*kind: none"
    with pytest.raises(EvaluationError, match=said):
        Suite.load(make_params(*tasks, estimator=few))


@pytest.mark.usefixtures("at_project")
def test_loading_prints_nothing(
    make_params: MakeParams, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither progress bars nor log lines reach the terminal."""
    Suite.load(make_params("colours", "sums", "prose", num_fewshot=1)).key("search")
    assert capfd.readouterr() == ("", "")
