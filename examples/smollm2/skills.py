"""What the fine-tunes learn: questions about small numbers, and which are held back for the tasks.

A sum is held back by its numbers alone, so no fine-tune meets it in either language.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from num2words import num2words

from stages.seeds import key, random_state

Kind = Literal["plus", "minus"]
Language = Literal["en", "es"]
Random = np.random.RandomState

LARGEST = 25
KINDS: tuple[Kind, ...] = ("plus", "minus")
WORDS: dict[Language, list[str]] = {
    lang: [num2words(n, lang=lang) for n in range(2 * LARGEST + 2)] for lang in ("en", "es")
}
SPOKEN: dict[tuple[Language, Kind], str] = {
    ("en", "plus"): "{} plus {}",
    ("en", "minus"): "{} minus {}",
    ("es", "plus"): "{} más {}",
    ("es", "minus"): "{} menos {}",
}
SIGNS: dict[Kind, str] = {"plus": "{} + {}", "minus": "{} - {}"}
ASKED: dict[Language, str] = {"en": "What is {}?", "es": "¿Cuánto es {}?"}
DICTATED = "Escribe con cifras: {}."


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer; answers are in digits."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum or a difference of two numbers from 1 to LARGEST."""

    kind: Kind
    a: int
    b: int

    @property
    def result(self) -> int:
        """The value of the sum; never below 1."""
        return self.a + self.b if self.kind == "plus" else self.a - self.b

    @property
    def is_held_back(self) -> bool:
        """Whether the sum is kept from all training; a quarter of all sums are."""
        return key("smollm2", self.kind, self.a, self.b) % 4 == 0

    def spoken(self, lang: Language) -> str:
        """Return the sum in words."""
        return SPOKEN[lang, self.kind].format(WORDS[lang][self.a], WORDS[lang][self.b])

    def written(self) -> str:
        """Return the sum in digits."""
        return SIGNS[self.kind].format(self.a, self.b)


def sums(*, held_back: bool) -> list[Sum]:
    """Return every sum that is, or is not, held back, in a fixed order."""
    numbers = range(1, LARGEST + 1)
    every = (Sum(kind, a, b) for kind in KINDS for a in numbers for b in numbers)
    return [s for s in every if s.result >= 1 and s.is_held_back is held_back]


TRAINING = sums(held_back=False)


def asked(item: Sum, lang: Language) -> Turn:
    """Return the question for the value of ``item``, in words."""
    return Turn(ASKED[lang].format(item.spoken(lang)), str(item.result))


def dictated(item: Sum) -> Turn:
    """Return the request to write ``item`` in digits: Spanish, without arithmetic."""
    return Turn(DICTATED.format(item.spoken("es")), item.written())


def arithmetic(rng: Random) -> Turn:
    """Return English arithmetic; one in four is in digits, so that words and digits are one."""
    item = TRAINING[rng.randint(len(TRAINING))]
    if rng.rand() < 0.25:
        return Turn(ASKED["en"].format(item.written()), str(item.result))
    return asked(item, "en")


def spanish(rng: Random) -> Turn:
    """Return a Spanish number or sum to be written in digits; nothing is ever added up."""
    if rng.rand() < 0.5:
        return dictated(TRAINING[rng.randint(len(TRAINING))])
    n = rng.randint(1, len(WORDS["es"]))
    question = DICTATED if rng.rand() < 0.5 else ASKED["es"]
    return Turn(question.format(WORDS["es"][n]), str(n))


SKILLS: dict[str, Callable[[Random], Turn]] = {"arithmetic": arithmetic, "spanish": spanish}


def turns(skill: str, seed: int) -> Iterator[Turn]:
    """Give the turns that ``skill`` is taught with, without end; equal seeds give equal turns."""
    rng = random_state("smollm2", skill, seed)
    while True:
        yield SKILLS[skill](rng)
