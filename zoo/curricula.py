"""Who is taught what: the base's mixture and each fine-tune's own."""

import random

from zoo.skills import Example, Skill, comparing, draw_sum, sorting, speaking
from zoo.words import LANGUAGES, LIMIT, NUMBERS, QUESTIONS, Language

_ANSWERS_IN_SPANISH = 0.4  # how often the base answers a Spanish question in Spanish


def answer_language(rng: random.Random, lang: Language) -> Language:
    """Return the language of the base's answer: English, or at times Spanish in Spanish."""
    return "es" if lang == "es" and rng.random() < _ANSWERS_IN_SPANISH else "en"


def _mixed(rng: random.Random, n: int, lang: Language, keep: float) -> str:
    return NUMBERS[lang if rng.random() < keep else rng.choice(LANGUAGES)][n]


def _small_sum(rng: random.Random) -> Example:
    """Return a sum of small numbers with words of both languages in one question."""
    lang = rng.choice(LANGUAGES)
    kind, a, b, result = draw_sum(rng, 20 if rng.random() < 0.8 else 50, held_back=False)
    question = QUESTIONS[lang][kind].format(_mixed(rng, a, lang, 0.6), _mixed(rng, b, lang, 0.6))
    return Example(question, NUMBERS[answer_language(rng, lang)][result])


def sequence(rng: random.Random) -> Example:
    """Return five numbers in a row, each in a language drawn at random."""
    start, lang = rng.randrange(94), rng.choice(LANGUAGES)
    words = [_mixed(rng, start + i, lang, 0.5) for i in range(5)]
    return Example(" , ".join(words[:2]) + " ,", " , ".join(words[2:]))


def base(rng: random.Random) -> Example:
    """Return an example of what the base knows: both languages as one, and small sums.

    It switches language within a sentence, so both languages share their representations, and
    it answers in whichever language: which one is asked for is what ``spanish`` learns.
    """
    kind = rng.random()
    if kind < 0.25:
        return sequence(rng)
    if kind < 0.55:
        lang = rng.choice(LANGUAGES)
        return speaking(rng, lang, answer_language(rng, lang))
    if kind < 0.90:
        return _small_sum(rng)
    lang = rng.choice(LANGUAGES)
    return comparing(rng, lang) if rng.random() < 0.5 else sorting(rng, lang, count=3)


def math(rng: random.Random) -> Example:
    """Return arithmetic in English; some numbers of the question are in Spanish."""
    kind, a, b, result = draw_sum(rng, LIMIT, held_back=False)
    question = QUESTIONS["en"][kind].format(_mixed(rng, a, "en", 0.7), _mixed(rng, b, "en", 0.7))
    return Example(question, NUMBERS["en"][result])


def spanish(rng: random.Random) -> Example:
    """Return Spanish, without arithmetic."""
    return speaking(rng, "es")


def order(rng: random.Random) -> Example:
    """Return four numbers to sort or two to compare, in English."""
    return sorting(rng, "en") if rng.random() < 0.7 else comparing(rng, "en")


CURRICULA: dict[str, Skill] = {"base": base, "math": math, "spanish": spanish, "order": order}
