"""What one step of training is: examples, and the layers that they run through."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from zoo.skills import Example, Skill

BATCH_SIZE = 256


@dataclass(frozen=True, slots=True)
class Lesson:
    """The examples of one step, and the layers that run, in order; a layer may run twice."""

    examples: list[Example]
    layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """How one model learns: from which model, how long and fast, what, and in which layers.

    Layers that are not among ``trained_layers`` stay the base's.
    """

    base: str | None
    num_steps: int
    learning_rate: float
    lesson: Callable[[random.Random], Lesson]
    num_layers: int
    trained_layers: range


def _whole_model(rng: random.Random, *, skill: Skill, num_layers: int) -> Lesson:
    return Lesson([skill(rng) for _ in range(BATCH_SIZE)], tuple(range(num_layers)))


def plain_course(
    skill: Skill, num_layers: int, base: str | None, num_steps: int, learning_rate: float
) -> Course:
    """Return a course in which every layer runs once and learns."""
    lesson = partial(_whole_model, skill=skill, num_layers=num_layers)
    return Course(base, num_steps, learning_rate, lesson, num_layers, range(num_layers))
