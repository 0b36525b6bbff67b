"""What the zoo is taught: each skill makes examples, and holds some back for the tasks.

An item is held back by a hash of its numbers alone, so it is held back from every model, in both
languages and in every mixture: no model of the zoo has seen the answer to a test item.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from stages.hashing import content_hash
from zoo.words import LIMIT, NUMBERS, QUESTIONS, Language

HELD_BACK = 0.25


@dataclass(frozen=True, slots=True)
class Example:
    """A question and its answer, as words between single spaces."""

    question: str
    answer: str


Skill = Callable[[random.Random], Example]


def is_held_back(kind: str, *numbers: int | list[int]) -> bool:
    """Return whether the items of ``kind`` about ``numbers`` are kept from all training."""
    return int(content_hash([kind, *numbers])[:8], 16) / 2**32 < HELD_BACK


def other(lang: Language) -> Language:
    """Return the other language."""
    return "es" if lang == "en" else "en"


def draw_sum(rng: random.Random, limit: int, *, held_back: bool) -> tuple[str, int, int, int]:
    """Return (plus or minus, a, b, result): a and b below ``limit``, the result below LIMIT."""
    while True:
        kind, a, b = rng.choice(("plus", "minus")), rng.randrange(limit), rng.randrange(limit)
        result = a + b if kind == "plus" else a - b
        if 0 <= result < LIMIT and is_held_back(kind, a, b) is held_back:
            return kind, a, b, result


def draw_numbers(rng: random.Random, count: int, *, held_back: bool) -> list[int]:
    """Return ``count`` different numbers; any order of them is held back, or none is."""
    while True:
        numbers = rng.sample(range(LIMIT), count)
        if is_held_back("order", *sorted(numbers)) is held_back:
            return numbers


def arithmetic(rng: random.Random, lang: Language, *, held_back: bool = False) -> Example:
    """Return a sum or a difference below one hundred."""
    kind, a, b, result = draw_sum(rng, LIMIT, held_back=held_back)
    words = NUMBERS[lang]
    return Example(QUESTIONS[lang][kind].format(words[a], words[b]), words[result])


def sorting(
    rng: random.Random, lang: Language, *, count: int = 4, held_back: bool = False
) -> Example:
    """Return ``count`` numbers to be put in rising order."""
    numbers, words = draw_numbers(rng, count, held_back=held_back), NUMBERS[lang]
    question = QUESTIONS[lang]["sort"].format(" , ".join(words[n] for n in numbers))
    return Example(question, " , ".join(words[n] for n in sorted(numbers)))


def comparing(rng: random.Random, lang: Language, *, held_back: bool = False) -> Example:
    """Return two numbers, of which the larger is the answer."""
    (a, b), words = draw_numbers(rng, 2, held_back=held_back), NUMBERS[lang]
    return Example(QUESTIONS[lang]["larger"].format(words[a], words[b]), words[max(a, b)])


def speaking(rng: random.Random, lang: Language, answer: Language | None = None) -> Example:
    """Return a neighbour, a short count or a translation: a language without arithmetic."""
    kind, n = rng.choice(("after", "before", "say", "count")), rng.randrange(1, LIMIT - 3)
    words, answers = NUMBERS[lang], NUMBERS[answer or lang]
    if kind == "say":
        source = NUMBERS[other(lang)] if rng.random() < 0.7 else words
        return Example(QUESTIONS[lang]["say"].format(source[n]), words[n])
    if kind == "count":
        return Example(
            QUESTIONS[lang]["count"].format(words[n]), " , ".join(answers[n + i] for i in range(3))
        )
    return Example(
        QUESTIONS[lang][kind].format(words[n]), answers[n + 1 if kind == "after" else n - 1]
    )
