"""Tasks from data files: scored as the same task in lm-eval's YAML, and divided by content."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError
from stages.evaluate.resident import ResidentEvaluator
from stages.evaluate.suite import Suite
from stages.params import EvaluateParams
from stages.scores import SPLITS, Evaluation
from tests.evaluate.conftest import COLOURS, colour, write_lines

MakeParams = Callable[..., EvaluateParams]

HEAD = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: data/{file}, train: data/{train}}}}}
test_split: test
"""
SUMS = """
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
generation_kwargs: {until: ["\\n"], max_gen_toks: 12, do_sample: false}
process_results: !function scoring.fingerprint
metric_list:
  - {metric: fingerprint, aggregation: mean, higher_is_better: true}
"""
CHOICES = """
output_type: multiple_choice
doc_to_text: prompt
doc_to_choice: choices
doc_to_target: gold
fewshot_split: train
fewshot_config: {sampler: first_n}
num_fewshot: 2
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
PROSE = """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: text
metric_list:
  - {metric: byte_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
"""
SCORER = '''
"""The fingerprint of conftest.py, as a scorer."""


def score(item, answer):
    """A number that tells nearly any two texts apart."""
    return sum(ord(c) * (i + 1) for i, c in enumerate(answer)) % 101 / 101
'''
SHORT = {"gen_kwargs": {"max_gen_toks": 12}}
WHOLE = {"search": 10, "validation": 10, "test": 20}


def write_choices(path: Path, numbers: Iterable[int]) -> None:
    """Write colour questions as a spreadsheet has them: a column for each choice."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["prompt", *"ABCDE", "answer"])
        for doc in map(colour, numbers):
            rows.writerow([doc["question"], *COLOURS, "ABCDE"[doc["answer"]]])


def as_lines(numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Return the same questions as lm-eval wants them."""
    docs = map(colour, numbers)
    return [{"prompt": d["question"], "choices": COLOURS, "gold": d["answer"]} for d in docs]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> Path:
    """A project folder with a data file of each kind, and the same as lm-eval tasks."""
    monkeypatch.chdir(tmp_path)
    tasks, data = tmp_path / "tasks", tmp_path / "data"
    tasks.mkdir()
    data.mkdir()
    (tasks / "scoring.py").write_text((project / "tasks/scoring.py").read_text())
    (tmp_path / "mine.py").write_text(SCORER)
    sums = [{"prompt": f"{i}+{i % 7}=", "answer": str(i + i % 7)} for i in range(8, 48)]
    write_lines(data / "sums.jsonl", sums)
    prose = [{"text": "the cat sat on " + "a mat. " * (i % 60 + 1) + str(i)} for i in range(40)]
    write_lines(data / "prose.jsonl", prose)
    write_choices(data / "colours.csv", range(40))
    write_choices(data / "shown.csv", (100, 101))
    write_lines(data / "colours.jsonl", as_lines(range(40)))
    write_lines(data / "shown.jsonl", as_lines((100, 101)))
    for name, file, text in (
        ("yaml_sums", "sums.jsonl", SUMS),
        ("yaml_colours", "colours.jsonl", CHOICES),
        ("yaml_prose", "prose.jsonl", PROSE),
    ):
        train = "shown.jsonl" if file == "colours.jsonl" else file
        head = HEAD.format(name=name, file=file, train=train)
        (tasks / f"{name}.yaml").write_text(head + text)
    return tmp_path


def colours(**keys: Any) -> dict[str, Any]:
    """Return the entry of the multiple-choice file."""
    return {"data": "data/colours.csv", "columns": {"choices": list("ABCDE")}, **keys}


def scored(folder: Path, params: EvaluateParams, split: str = "search") -> Evaluation:
    """Return what the model in ``folder`` scores."""
    return ResidentEvaluator(folder, params, Suite.load(params)).evaluate(split)


def by_prompt(folder: Path, params: EvaluateParams) -> dict[str, float]:
    """Return the score of every item of the one task, by what is asked."""
    suite = Suite.load(params)
    evaluator = ResidentEvaluator(folder, params, suite)
    found = {}
    for split in SPLITS:
        (part,) = suite.parts[split]
        for row in evaluator.evaluate(split).items:
            doc = part.loaded.task.eval_docs[part.places[row.item]]
            found[doc.get("prompt") or doc["text"]] = row.score
    return found


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("own", "in_yaml"),
    [
        ({"data": "data/sums.jsonl", "scorer": "mine.py:score", **SHORT}, "yaml_sums"),
        (colours(fewshot="data/shown.csv"), "yaml_colours"),
        ({"data": "data/prose.jsonl"}, "yaml_prose"),
    ],
)
def test_data_file_scores_as_the_same_task_in_yaml(
    make_params: MakeParams, model_folder: Path, own: dict[str, Any], in_yaml: str
) -> None:
    """Prompts, few-shot examples and scores are those of lm-eval, item for item."""
    gen = {"gen_kwargs": {"until": ["\n"]}}
    expected = by_prompt(model_folder, make_params(in_yaml, splits=WHOLE, **gen))

    found = by_prompt(model_folder, make_params(own, splits=WHOLE, **gen))

    assert 40 == len(found)
    assert len(set(found.values())) > 1
    assert sorted(expected) == sorted(found)
    assert expected == pytest.approx(found, rel=1e-6)


@pytest.mark.usefixtures("files")
def test_labels_and_metrics_are_those_of_the_kind(
    make_params: MakeParams, model_folder: Path
) -> None:
    """A file's stem is its label, unless a name is given; each kind has its metric."""
    sums = {"data": "data/sums.jsonl", **SHORT}
    params = make_params(
        colours(),
        sums,
        {**sums, "kind": "numeric", "name": "totals"},
        {**sums, "metric": "numeric", "name": "read_as_numbers"},
        {"data": "data/prose.jsonl", "metric": "bits_per_byte"},
    )

    found = scored(model_folder, params).tasks

    expected = [
        ("colours", "acc", True),
        ("sums", "exact_match", True),
        ("totals", "numeric", True),
        ("read_as_numbers", "numeric", True),
        ("prose", "bits_per_byte", False),
    ]
    assert expected == [(t.task, t.metric, t.higher_is_better) for t in found]


@pytest.mark.usefixtures("files")
def test_kinds_differ_in_where_a_text_ends(make_params: MakeParams) -> None:
    """An exact match is one line, a number may end a derivation; gen_kwargs say otherwise."""
    sums = {"data": "data/sums.jsonl"}
    params = make_params(
        sums,
        {**sums, "kind": "numeric", "name": "b"},
        {**sums, "scorer": "mine.py:score", "name": "c"},
        {**sums, "name": "d", "gen_kwargs": {"max_gen_toks": 5}},
        gen_kwargs={"max_gen_toks": 9},
    )

    parts = Suite.load(params).parts["search"]

    found = [part.loaded.task.get_config("generation_kwargs") for part in parts]
    assert [["\n"], ["\n\n"], [], ["\n"]] == [kwargs["until"] for kwargs in found]
    assert [9, 9, 9, 5] == [kwargs["max_gen_toks"] for kwargs in found]


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

    found = Suite.load(make_params({"data": "data/sums.jsonl", **keys})).key("search")

    assert base != found


def test_key_changes_with_the_scorer(files: Path, make_params: MakeParams) -> None:
    """An edited scorer is another suite."""
    params = make_params({"data": "data/sums.jsonl", "scorer": "mine.py:score"})
    before = Suite.load(params).key("search")
    (files / "mine.py").write_text(SCORER.replace("101", "103"))
    assert before != Suite.load(params).key("search")


def test_files_may_serve_a_split_each(files: Path, make_params: MakeParams) -> None:
    """Three files, one label; a question in two of them is refused though other columns differ."""
    for place, name in enumerate(("one", "two", "three")):
        numbers = range(20 * place, 20 * place + 20)
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
