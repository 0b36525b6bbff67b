"""Suites of data files: their keys, splits and examples, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import SPLITS
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.conftest import write_lines
from tests.evaluate.data_files.conftest import SCORER, colours, write_choices

MakeParams = Callable[..., EvaluateParams]

WHOLE = {"search": 10, "validation": 10, "test": 20}


def test_key_depends_on_content_alone(files: Path, make_params: MakeParams) -> None:
    """Rows in another order and another format are the same suite; an edited answer is not."""
    params = make_params({"data": "data/sums.jsonl"})
    before = Suite.load(params).key("search")
    lines = (files / "data/sums.jsonl").read_text().splitlines()
    (files / "data/sums.jsonl").write_text("\n".join(reversed(lines)))
    assert before == Suite.load(params).key("search")
    edited = [line.replace('"answer": "8"', '"answer": ["8", "eight"]') for line in lines]
    edited = [line.replace('"answer": "', '"answer": "0') for line in edited]
    (files / "data/sums.jsonl").write_text("\n".join(edited))
    assert before != Suite.load(params).key("search")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "keys",
    [
        {"metric": "numeric"},
        {"metric": "numeric", "decimal": ","},
        {"language": "es"},
        {"language": "fr"},
        {"template": "{{prompt}} "},
        {"delimiter": ""},
        {"scorer": "mine.py:score"},
        {"kind": "numeric"},
        {"gen_kwargs": {"max_gen_toks": 3}},
    ],
)
def test_key_depends_on_how_answers_are_scored(
    make_params: MakeParams, keys: dict[str, Any]
) -> None:
    """Each key that may change a score changes the suite's key, each in its own way."""
    base = Suite.load(make_params({"data": "data/sums.jsonl"})).key("search")

    key = Suite.load(make_params({"data": "data/sums.jsonl", **keys})).key("search")

    assert base != key


def test_key_changes_with_the_scorer(files: Path, make_params: MakeParams) -> None:
    """An edited scorer is another suite."""
    params = make_params({"data": "data/sums.jsonl", "scorer": "mine.py:score"})
    before = Suite.load(params).key("search")
    (files / "mine.py").write_text(SCORER.replace("101", "103"))
    assert before != Suite.load(params).key("search")


def test_files_may_serve_a_split_each(files: Path, make_params: MakeParams) -> None:
    """Three files, one label; a question in two of them is refused though other columns differ."""
    for number, name in enumerate(("one", "two", "three")):
        numbers = range(20 * number, 20 * number + 20)
        rows = [{"prompt": f"is {i} odd?", "answer": str(i % 2), "id": name} for i in numbers]
        write_lines(files / f"data/{name}.jsonl", rows)
    splits = {s: f"data/{n}.jsonl" for s, n in zip(SPLITS, ("one", "two", "three"), strict=True)}
    suite = Suite.load(make_params({"splits": splits, "name": "odd"}))
    assert {"odd": 1.0} == suite.weights
    assert [10, 8, 9] == [suite.num_items(split) for split in SPLITS]

    with (files / "data/two.jsonl").open("a") as file:
        file.write('{"prompt": "is 3 odd?", "answer": "1", "id": "copied"}\n')
    with pytest.raises(EvaluationError, match=r"one\.jsonl, row 4: is also row 21 of data/two"):
        Suite.load(make_params({"splits": splits, "name": "odd"}))


def test_examples_among_the_items_are_refused(files: Path, make_params: MakeParams) -> None:
    """A few-shot file that shows an item is named with both rows."""
    write_choices(files / "data/shown.csv", (100, 7))
    message = r"data/colours\.csv, row 9: is also row 3 of data/shown\.csv, .* few-shot examples"
    with pytest.raises(EvaluationError, match=message):
        Suite.load(make_params(colours(fewshot="data/shown.csv")))


@pytest.mark.usefixtures("files")
def test_number_of_examples_is_that_of_the_file_unless_said(make_params: MakeParams) -> None:
    """All examples are shown, or the task's num_fewshot; the general key is for lm-eval's."""
    for keys, expected in (({}, 2), ({"num_fewshot": 1}, 1), ({"num_fewshot": 0}, 0)):
        params = make_params(colours(fewshot="data/shown.csv", **keys), num_fewshot=5)
        (part,) = Suite.load(params).parts["search"]
        assert expected == part.loaded.task.get_config("num_fewshot")
    (part,) = Suite.load(make_params(colours(), num_fewshot=5)).parts["search"]
    assert 0 == part.loaded.task.get_config("num_fewshot")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"data": "data/none.csv"}, r"^data/none\.csv: no such file"),
        (
            colours(metric="f1"),
            r"task data/colours\.csv: has no metric 'f1'. Legal: acc, acc_norm",
        ),
        (
            {"data": "data/sums.jsonl", "metric": "acc"},
            r"no metric 'acc'. Legal: exact_match, num",
        ),
        (colours(num_fewshot=1), r"task colours: num_fewshot is 1, but no file of examples"),
        (colours(fewshot="data/shown.csv", num_fewshot=3), r"has 2 few-shot examples.*asks for 3"),
        ({"data": "data/prose.jsonl", "fewshot": "data/shown.csv"}, r"shows no examples. Remove"),
        (
            colours(language="es"),
            r"language is set, but the model writes no text: .*multiple_choi",
        ),
        (colours(scorer="mine.py:score"), r"scorer is set, but the model writes no text"),
        (colours(gen_kwargs={"until": []}), r"gen_kwargs is set, but the model writes no text"),
        ({"data": "data/sums.jsonl", "filter": "x"}, r"has no filter 'x'. Legal: none"),
        ({"data": "data/sums.jsonl", "scorer": "no.py:f"}, r"scorer no\.py: no such file"),
        (
            {"data": "data/sums.jsonl", "language": "spanish"},
            r"task sums: language 'spanish' is n",
        ),
        ({"data": "data/sums.jsonl", "gen_kwargs": {"do_sample": True}}, r"do_sample is true"),
        (
            {"data": "data/sums.jsonl", "gen_kwargs": {"max_gen_toks": "9"}},
            r"is '9'. Give a whole",
        ),
        ({"data": "data/sums.jsonl", "gen_kwargs": {"max_tokens": 0}}, r"max_tokens is 0. Give a"),
        ({"data": "data/sums.jsonl", "gen_kwargs": {"until": 5}}, r"until is 5. Give a text"),
        (
            {"data": "data/sums.jsonl", "gen_kwargs": {"max_gen_toks": 9, "max_tokens": 8}},
            r"max_gen_toks and max_tokens all say",
        ),
    ],
)
def test_fault_is_one_clear_message(
    make_params: MakeParams, entry: dict[str, Any], message: str
) -> None:
    """What an entry gets wrong is said before any model is loaded."""
    with pytest.raises(EvaluationError, match=message) as caught:
        Suite.load(make_params(entry))

    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.usefixtures("files")
def test_too_few_rows_for_the_splits_are_named(make_params: MakeParams) -> None:
    """The three splits together need as many rows as they ask for."""
    params = make_params({"data": "data/sums.jsonl"}, splits={**WHOLE, "test": 21})
    with pytest.raises(EvaluationError, match=r"task sums: has 40 distinct items, 41 were asked"):
        Suite.load(params)


@pytest.mark.usefixtures("files")
def test_loading_prints_nothing(
    make_params: MakeParams, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither lm-eval nor the detector writes to the terminal."""
    Suite.load(make_params(colours(), {"data": "data/sums.jsonl", "language": "es"})).key("test")
    assert ("", "") == capfd.readouterr()


def test_examples_of_free_text_show_their_answers(files: Path, make_params: MakeParams) -> None:
    """Items need no answer where a scorer judges; examples do, and show it."""
    write_lines(files / "data/free.jsonl", [{"prompt": f"say {i}:"} for i in range(30)])
    write_lines(files / "data/said.jsonl", [{"prompt": "say a:", "answer": "[a]"}])
    entry = {"data": "data/free.jsonl", "scorer": "mine.py:score", "fewshot": "data/said.jsonl"}
    (part,) = Suite.load(make_params(entry)).parts["search"]
    task = part.loaded.task
    assert "say a: [a]\n\nsay 3:" == task.fewshot_context(task.eval_docs[3], num_fewshot=1)

    write_lines(files / "data/said.jsonl", [{"prompt": "say a:"}])
    with pytest.raises(EvaluationError, match=r"said\.jsonl, row 1, column answer: is empty"):
        Suite.load(make_params(entry))
