"""Uniform random search: the baseline that a strategy must beat."""

from collections.abc import Sequence

from stages.params.select_params import SelectParams
from stages.seeds import generator
from stages.select.space.space import Genome
from stages.select.strategies.generations import Drawn, Generation, GenerationStrategy


class RandomStrategy(GenerationStrategy):
    """Draws every gene uniformly between its bounds; each name and whole number is as likely.

    It learns nothing, so results change no proposal. It has no centre.
    """

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return: random search works with any params."""

    def _propose(self, names: Sequence[str], starts: Sequence[Genome]) -> list[Drawn]:
        random = generator("random search", self.params.seed, self.generation)
        points = random.random((len(names), len(self.space.genes)))
        drawn = [self.space.from_unit(point) for point in points.tolist()]
        kept = [self.space.round(start) for start in starts]
        return [(genome, ()) for genome in (*kept, *drawn[len(starts) :])]

    def _learn(self, results: Generation) -> None:
        """Learn nothing."""
