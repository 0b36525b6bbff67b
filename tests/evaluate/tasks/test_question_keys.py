"""Items that ask the same question by the task's own notion: one question, one split."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError
from stages.evaluate.tasks.question_keys import question_keys
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import SPLITS
from stages.params.evaluate_params import EvaluateParams

COMMUTED = "{{ prompt.rstrip('=').split('+') | sort | join('+') }}"
PAIRS = [(a, b) for a in range(1, 9) for b in range(1, 9)]


def write_sums(path: Path, pairs: Iterable[tuple[int, int]], sign: str = "+") -> None:
    """Write a file of sums, each pair a question."""
    rows = [{"prompt": f"{a}{sign}{b}=", "answer": str(a + b), "low": min(a, b)} for a, b in pairs]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def suite_of(*tasks: dict[str, Any], size: int = 8) -> Suite:
    """Return the suite of these tasks."""
    splits = {"search": size, "validation": size, "test": size}
    return Suite.load(EvaluateParams.model_validate({"tasks": [*tasks], "splits": splits}))


def sums_of(suite: Suite, split: str) -> set[frozenset[str]]:
    """Return the sums that a split asks, whatever their order and sign."""
    asked = set()
    for part in suite.parts[split]:
        documents = part.loaded.task.eval_docs
        for number in part.places.values():
            text = documents[number]["prompt"].rstrip("=").replace("plus", "+")
            asked.add(frozenset(text.split("+")))
    return asked


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_sums(Path("sums.jsonl"), PAIRS)
    write_sums(Path("words.jsonl"), PAIRS, sign="plus")


def test_commuted_sums_and_other_tasks_serve_one_split() -> None:
    """By a key, no sum is asked in two splits, in either order or in another task's words."""
    words = {
        "data": "words.jsonl",
        "question_key": COMMUTED.replace("split('+')", "split('plus')"),
    }
    keyed = suite_of({"data": "sums.jsonl", "question_key": COMMUTED}, words)
    plain = suite_of({"data": "sums.jsonl"}, {"data": "words.jsonl"})
    crossing = {}
    for name, suite in (("keyed", keyed), ("plain", plain)):
        one, two, three = (sums_of(suite, split) for split in SPLITS)
        crossing[name] = len(one & two) + len(one & three) + len(two & three)
        assert [16, 16, 16] == [suite.num_items(split) for split in SPLITS]
    assert 0 == crossing["keyed"]
    assert crossing["plain"] > 5  # or this test would show nothing


def test_key_that_the_docs_show_knows_a_sum_in_either_order() -> None:
    """With the spaces that the page's sums have, and without."""
    page = (Path(__file__).parents[3] / "docs/tasks.md").read_text(encoding="utf-8")
    shown = re.search(r'data: sums.csv, question_key: "(.*)"', page)
    assert shown
    prompts = ["3 + 5", "5 + 3", "5 + 3 =", "3+5=", "3 + 6"]
    keys = question_keys("sums", shown[1], [{"prompt": prompt} for prompt in prompts])
    assert {"3+5", "3+6"} == set(keys.values())


def test_a_key_is_not_part_of_what_decides_scores() -> None:
    """With a key of its own for each item, the items and the evaluation keys stay."""
    plain = suite_of({"data": "sums.jsonl"})
    keyed = suite_of({"data": "sums.jsonl", "question_key": "prompt"})
    for split in SPLITS:
        assert plain.items(split) == keyed.items(split)
        assert plain.key(split) == keyed.key(split)


def test_files_of_their_own_for_each_split_are_refused_by_question() -> None:
    """Two files that share no row may share a question."""
    for name, pairs in (("a", PAIRS[:20]), ("b", PAIRS[20:40]), ("c", PAIRS[40:])):
        write_sums(Path(f"{name}.jsonl"), pairs)
    task = {"splits": {"search": "a.jsonl", "validation": "b.jsonl", "test": "c.jsonl"}}
    suite_of(task)
    with pytest.raises(EvaluationError, match=r"task a: \d+ items serve both search and"):
        suite_of({**task, "question_key": COMMUTED}, size=16)


def test_examples_are_held_to_the_key() -> None:
    """A few-shot example that asks an item's question is refused, though its text is another."""
    write_sums(Path("sums.jsonl"), [(a, b) for a, b in PAIRS if a <= b])
    write_sums(Path("shown.jsonl"), [(a, b) for a, b in PAIRS if a > b])
    task = {"data": "sums.jsonl", "fewshot": "shown.jsonl", "num_fewshot": 2}
    suite_of(task)
    with pytest.raises(EvaluationError, match="items are also few-shot examples"):
        suite_of({**task, "question_key": COMMUTED})


def test_too_few_questions_are_counted() -> None:
    """Where a key leaves too few items, the message says how many it leaves."""
    with pytest.raises(EvaluationError, match=r"has 64 distinct items, .* question of one split"):
        suite_of({"data": "sums.jsonl", "question_key": "low"}, size=20)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("lwo", r"the key is 'lwo'.* Its columns: a, low"),
        ("{{ missing }}", r"document 1: 'missing' is undefined.* Its columns: a, low"),
        ("{{ a", "is not a template"),
        ("{{ a | trim }}", "document 2: the key is ''"),
        ("{{ ().__class__ }}", "document 1: .*unsafe"),
    ],
)
def test_keys_that_tell_nothing_are_refused(template: str, said: str) -> None:
    """A mistyped column, a broken template, an empty key and a way out of the sandbox."""
    with pytest.raises(EvaluationError, match=rf"task t, question_key: .*{said}"):
        question_keys("t", template, [{"a": "x", "low": 1}, {"a": " ", "low": 1}])
