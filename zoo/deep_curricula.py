"""The deep family: twelve layers, of which four in the middle are taught to run once or twice.

Its base learns with layers left out and with the middle run twice, so a path that skips a layer or
repeats those four is nothing new to it. ``math`` learns sums of one step in one pass through them
and sums of two steps in two: a model that is saved with twelve layers knows more than they show.
"""

import random
from functools import partial

from zoo.curricula import answer_language, sequence
from zoo.lessons import BATCH_SIZE, Course, Lesson
from zoo.skills import Example, Skill, comparing, sorting, speaking
from zoo.sums import ask, draw_terms
from zoo.words import LANGUAGES, LIMIT, NUMBERS

NUM_LAYERS = 12
REPEATED = range(4, 8)  # run a second time in some lessons
_ALWAYS = 1.0


def _small_sum(rng: random.Random) -> Example:
    """Return a sum of small numbers, one step or two, with words of both languages."""
    lang = rng.choice(LANGUAGES)
    num_steps = 1 if rng.random() < 0.7 else 2
    terms, total = draw_terms(rng, num_steps, 20 if rng.random() < 0.7 else 50, held_back=False)
    return Example(ask(rng, terms, lang, 0.6), NUMBERS[answer_language(rng, lang)][total])


def base(rng: random.Random) -> Example:
    """Return an example of what the base knows: both languages as one, and small sums."""
    kind = rng.random()
    if kind < 0.2:
        return sequence(rng)
    if kind < 0.45:
        lang = rng.choice(LANGUAGES)
        return speaking(rng, lang, answer_language(rng, lang))
    if kind < 0.9:
        return _small_sum(rng)
    lang = rng.choice(LANGUAGES)
    return comparing(rng, lang) if rng.random() < 0.5 else sorting(rng, lang, count=3)


def math(rng: random.Random, num_steps: int) -> Example:
    """Return a sum of ``num_steps`` steps in English; some of its numbers are in Spanish."""
    terms, total = draw_terms(rng, num_steps, LIMIT if rng.random() < 0.7 else 50, held_back=False)
    return Example(ask(rng, terms, "en", 0.7), NUMBERS["en"][total])


def spanish(rng: random.Random) -> Example:
    """Return Spanish, and small sums in it."""
    if rng.random() < 0.4:
        return speaking(rng, "es")
    num_steps = 1 if rng.random() < 0.6 else 2
    terms, total = draw_terms(rng, num_steps, 20 if rng.random() < 0.5 else 50, held_back=False)
    return Example(ask(rng, terms, "es", 0.8), NUMBERS["es"][total])


def _layers(rng: random.Random, repeats: float, drops: float) -> tuple[int, ...]:
    """Return the layers of a step; each is left out with probability ``drops``."""
    layers = [*range(NUM_LAYERS)]
    if rng.random() < repeats:
        layers[REPEATED.stop : REPEATED.stop] = REPEATED
    return tuple([i for i in layers if rng.random() >= drops] or layers)


def _mixed_depth(rng: random.Random, *, skill: Skill, repeats: float, drops: float) -> Lesson:
    """Return examples of one skill at a depth that is drawn, whatever is asked."""
    layers = _layers(rng, repeats, drops)
    return Lesson([skill(rng) for _ in range(BATCH_SIZE)], layers)


def depth_by_steps(rng: random.Random) -> Lesson:
    """Return sums of one step at one pass, mostly, or sums of two steps at two passes."""
    num_steps = 1 if rng.random() < 0.35 else 2
    layers = _layers(rng, 0.15 if num_steps == 1 else _ALWAYS, 0.02)
    return Lesson([math(rng, num_steps) for _ in range(BATCH_SIZE)], layers)


DEEP_COURSES = {
    "deep-base": Course(
        None,
        4000,
        2e-3,
        partial(_mixed_depth, skill=base, repeats=0.4, drops=0.12),
        NUM_LAYERS,
        range(NUM_LAYERS),
    ),
    # English numbers are said by the base's last layers, which math leaves alone: what it learns
    # reaches Spanish words, too (docs/log.md).
    "deep-math": Course("deep-base", 1500, 1e-3, depth_by_steps, NUM_LAYERS, range(4, 10)),
    "deep-spanish": Course(
        "deep-base",
        500,
        1e-3,
        partial(_mixed_depth, skill=spanish, repeats=0.5, drops=0.1),
        NUM_LAYERS,
        range(8, NUM_LAYERS),
    ),
}
