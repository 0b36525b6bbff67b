"""What a measure is given: one answer of a model, and the item that it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer to one item: ``text`` is measured, ``accepted`` are right answers.

    ``where`` names its task and item in messages.
    """

    item: Mapping[str, Any]
    text: str
    where: str
    accepted: tuple[str, ...] = ()
