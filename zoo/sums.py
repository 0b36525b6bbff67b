"""Sums of two numbers or three: one step or two.

A sum is held back by its numbers with their signs, in any order and either language, so none of
its twins has been taught: not what it is when commuted, and not in the other language.
"""

import random
from itertools import accumulate

from zoo.skills import Example, is_held_back
from zoo.words import LANGUAGES, LIMIT, NUMBERS, SIGNS, SUM_OPENINGS, Language

Term = tuple[int, int]  # sign, number


def by_sign(terms: list[Term]) -> list[list[int]]:
    """Return the numbers that are added and those that are taken away, in rising order each."""
    return [sorted(number for s, number in terms if s == sign) for sign in (1, -1)]


def twin_key(terms: list[Term]) -> str:
    """Return what all twins of a sum share: its terms, those added first, in rising order."""
    added, subtracted = by_sign(terms)
    return " ".join([*(f"{n:+d}" for n in added), *(f"{-n:+d}" for n in subtracted)])


def draw_terms(
    rng: random.Random, num_steps: int, limit: int, *, held_back: bool
) -> tuple[list[Term], int]:
    """Return terms and their sum: numbers below ``limit``, every partial sum in 0 to 99."""
    while True:
        terms = [(1, rng.randrange(limit))]
        terms += [(rng.choice((1, -1)), rng.randrange(limit)) for _ in range(num_steps)]
        sums = list(accumulate(sign * number for sign, number in terms))
        if (
            0 <= min(sums) <= max(sums) < LIMIT
            and is_held_back("sum", *by_sign(terms)) is held_back
        ):
            return terms, sums[-1]


def ask(rng: random.Random, terms: list[Term], lang: Language, keep: float = 1.0) -> str:
    """Return the question in ``lang``; a number is in any language with probability 1 - keep."""
    words = [SUM_OPENINGS[lang]]
    for index, (sign, number) in enumerate(terms):
        words += [SIGNS[lang][sign]] if index else []
        words += [NUMBERS[lang if rng.random() < keep else rng.choice(LANGUAGES)][number]]
    return " ".join([*words, "?"])


def held_back_sum(rng: random.Random, lang: Language, num_steps: int) -> tuple[Example, str]:
    """Return a sum that was not taught, asked and answered in ``lang``, and its ``twin_key``."""
    terms, total = draw_terms(rng, num_steps, LIMIT, held_back=True)
    return Example(ask(rng, terms, lang), NUMBERS[lang][total]), twin_key(terms)
