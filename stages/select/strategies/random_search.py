"""Uniform random search: the baseline that a strategy must beat."""

from stages.params.select_params import SelectParams
from stages.seeds import generator
from stages.select.strategies.generations import (
    Drawn,
    GenerationStrategy,
    Lesson,
    Seats,
)


class RandomStrategy(GenerationStrategy):
    """Draws every gene uniformly between its bounds; each name and whole number is as likely.

    It learns nothing, so results change no proposal. It has no centre.
    """

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return: random search works with any params."""

    def _propose(self, seats: Seats) -> list[Drawn]:
        random = generator("random search", self.params.seed, seats.generation)
        points = random.random((seats.first + len(seats.names), len(self.space.genes)))
        drawn = [self.space.from_unit(point) for point in points[seats.first :].tolist()]
        kept = [self.space.round(start) for start in seats.starts]
        return [(genome, ()) for genome in (*kept, *drawn[len(kept) :])]

    def _learn(self, lesson: Lesson) -> None:
        """Learn nothing."""
