"""What the zoo is taught and asked: items held back from training, and only they, are asked."""

import json
import random
from pathlib import Path

import pytest
import yaml

from zoo.curricula import CURRICULA
from zoo.deep_curricula import DEEP_COURSES
from zoo.skills import Example
from zoo.tasks import NUM_ITEMS, SUMS, TASKS, config, items
from zoo.words import LANGUAGES, NUMBERS, vocabulary

ROOT = Path(__file__).parents[2]
TASK_FOLDER = ROOT / "data/tasks"
NUM_EXAMPLES = 4000


def numbers_in(text: str) -> tuple[int, ...]:
    """Return the numbers that ``text`` names, in order, whichever language names them."""
    names = {words: n for lang in LANGUAGES for n, words in enumerate(NUMBERS[lang])}
    words, numbers, start = text.split(), [], 0
    while start < len(words):
        for length in (3, 2, 1):
            number = names.get(" ".join(words[start : start + length]))
            if number is not None and start + length <= len(words):
                numbers.append(number)
                start += length
                break
        else:
            start += 1
    return tuple(numbers)


def kind_of(question: str) -> str:
    """Return what is asked, whichever language asks it."""
    kinds = {
        "plus": ("plus", "más"),
        "minus": ("minus", "menos"),
        "order": ("sort", "ordena", "larger", "mayor"),
    }
    return next((kind for kind, words in kinds.items() if set(words) & set(question.split())), "")


def asked(example_or_item: Example | dict[str, str]) -> tuple[str, tuple[int, ...]]:
    """Return an item without its language, and without the order of numbers to be ordered."""
    question = (
        example_or_item.question
        if isinstance(example_or_item, Example)
        else example_or_item["question"]
    )
    kind, numbers = kind_of(question), numbers_in(question)
    return kind, tuple(sorted(numbers)) if kind == "order" else numbers


def twins_of(question: str) -> tuple[list[int], list[int]]:
    """Return what a sum adds and what it takes away, in any order and language."""
    words = question.split()
    signs = [0] + [i for i, w in enumerate(words) if w in {"plus", "minus", "más", "menos"}]
    terms = [" ".join(words[a:b]) for a, b in zip(signs, [*signs[1:], None], strict=True)]
    negative = [bool({"minus", "menos"} & set(term.split())) for term in terms]
    numbers = [numbers_in(term)[0] for term in terms]
    added = [n for n, is_minus in zip(numbers, negative, strict=True) if not is_minus]
    return sorted(added), sorted(
        n for n, is_minus in zip(numbers, negative, strict=True) if is_minus
    )


def stored(name: str) -> list[dict[str, str]]:
    """Return the items of data/tasks."""
    text = (TASK_FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", CURRICULA)
def test_curriculum_never_asks_what_a_task_asks(name: str) -> None:
    """No example of any model's training is an item of any task, in either language."""
    rng = random.Random(0)
    trained = {asked(CURRICULA[name](rng)) for _ in range(NUM_EXAMPLES)}
    tested = {asked(item) for task in TASKS for item in stored(task)}

    assert trained & tested == set()


@pytest.mark.parametrize("name", CURRICULA)
def test_curriculum_speaks_the_vocabulary(name: str) -> None:
    """Every word of every example is a token."""
    rng, words = random.Random(1), set(vocabulary())

    for _ in range(500):
        example = CURRICULA[name](rng)
        assert set(f"{example.question} {example.answer}".split()) <= words


@pytest.mark.parametrize("name", DEEP_COURSES)
def test_deep_course_never_asks_a_twin_of_a_tested_sum(name: str) -> None:
    """Not even with its terms in another order, or in the other language."""
    rng = random.Random(0)
    examples = [e for _ in range(20) for e in DEEP_COURSES[name].lesson(rng).examples]
    sums = {"plus", "minus", "más", "menos"}
    taught = {str(twins_of(e.question)) for e in examples if sums & set(e.question.split())}
    tested = {str(twins_of(item["question"])) for task in SUMS for item in stored(task)}

    assert taught
    assert taught & tested == set()
    assert {word for e in examples for word in f"{e.question} {e.answer}".split()} <= set(
        vocabulary()
    )


@pytest.mark.parametrize("name", SUMS)
def test_twins_of_a_task_are_named_by_one_key(name: str) -> None:
    """The key is the terms with their signs, whatever their order."""
    for item in stored(name):
        added, taken = twins_of(item["question"])
        assert " ".join([*(f"+{n}" for n in added), *(f"{-n:+d}" for n in taken)]) == item["twins"]


@pytest.mark.parametrize("name", [*TASKS, *SUMS])
def test_task_files_are_what_the_script_writes(name: str) -> None:
    """data/tasks is what ``python -m zoo.tasks`` writes today."""
    written = yaml.safe_load((TASK_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))

    assert config(name) == written
    assert items(name) == stored(name)


@pytest.mark.parametrize("name", [*TASKS, *SUMS])
def test_task_items_are_different(name: str) -> None:
    """No question is asked twice."""
    assert NUM_ITEMS == len({item["question"] for item in stored(name)})


def test_numbers_are_read_back() -> None:
    """The reader of these tests knows every number in both languages."""
    for lang in LANGUAGES:
        for n, words in enumerate(NUMBERS[lang]):
            assert (n,) == numbers_in(f"di {words} :")
