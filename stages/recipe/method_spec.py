"""What a merge method takes: plain data, read by the planner, the search space and the docs."""

import math
from dataclasses import dataclass
from typing import Literal

MOST = 1e6  # the largest value where a method names no bound: more overflows float16
Law = Literal["equal parents", "zero task vectors", "zero weight", "density"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a merge method: ``level`` says one number per parent or one per tensor.

    With ``choices`` its value is one of these names, one per tensor; else it is a number from
    ``low`` to ``high``. ``is_open``: ``low`` itself is not legal. ``is_whole``: whole numbers
    only; a whole number from 0 to 1 is a switch.
    """

    name: str
    level: Literal["parent", "tensor"]
    default: float | str | None  # None: the recipe must give it
    low: float
    high: float
    doc: str
    choices: tuple[str, ...] = ()
    is_open: bool = False
    is_whole: bool = False

    @property
    def legal(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            return " or ".join(self.choices)
        if self.is_whole:
            if (self.low, self.high) == (0, 1):
                return "0 or 1"
            last = "" if math.isinf(self.high) else f" to {self.high:g}"
            return f"a whole number from {self.low:g}{last}"
        if math.isinf(self.low):
            return f"a number of at most {MOST:g}"
        opening, closing = "(" if self.is_open else "[", ")" if math.isinf(self.high) else "]"
        return f"a number in {opening}{self.low:g}, {self.high:g}{closing}"

    def is_legal(self, value: object) -> bool:
        """Return whether ``value`` is a legal number, or name, for one parent or tensor."""
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not (abs(value) <= MOST or math.isfinite(self.high)):  # NaN is not
            return False
        if not self.low <= value <= self.high:
            return False
        return (value > self.low or not self.is_open) and (
            value == int(value) or not self.is_whole
        )


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """A merge method's name, parameters and needs.

    ``exempt`` are the laws of docs/merge-methods.md that its formula does not keep, and why. A
    method that ``takes_base`` reads one where there is one, and can do without. One that
    ``draws`` uses random numbers; of a plug-in, which may not say so, it is taken for granted.
    """

    name: str
    parameters: tuple[Parameter, ...]
    needs_base: bool
    min_parents: int
    max_parents: int | None
    source: str  # the paper, or where the formula is stated
    summary: str
    exempt: tuple[tuple[Law, str], ...] = ()
    takes_base: bool = False
    draws: bool = False

    @property
    def legal_parents(self) -> str:
        """How many parents it merges, in words: ``2``, ``2 to 4`` or ``2 or more``."""
        low, high = self.min_parents, self.max_parents
        if high is None:
            return f"{low} or more"
        return str(low) if low == high else f"{low} to {high}"

    def merges(self, num_parents: int) -> bool:
        """Return whether it merges so many parents."""
        most = num_parents if self.max_parents is None else self.max_parents
        return self.min_parents <= num_parents <= most

    @property
    def reads_base(self) -> bool:
        """Whether a base that a recipe sets apart enters the child's numbers."""
        return self.needs_base or self.takes_base

    @property
    def is_random(self) -> bool:
        """Whether the recipe's seed may enter the child's numbers."""
        return self.draws or "@" in self.name  # a plug-in is named NAME@HASH
