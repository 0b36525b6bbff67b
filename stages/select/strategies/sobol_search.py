"""Points of a Sobol sequence: a floor like random search, which fills the space more evenly."""

from collections.abc import Sequence

from scipy.stats import qmc

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.seeds import key
from stages.select.space.space import Space
from stages.select.strategies.generations import (
    Drawn,
    GenerationStrategy,
    Lesson,
    Seats,
)


class SobolStrategy(GenerationStrategy):
    """Takes the next points of one scrambled sequence between the bounds of all genes.

    It learns nothing, so results change no proposal. It has no centre. The sequence is SciPy's,
    after Sobol 1967 and Owen 1998, "Scrambling Sobol' and Niederreiter-Xing points".
    """

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return: the sequence works with any params."""

    @classmethod
    def check_tasks(cls, space: Space, params: SelectParams, tasks: Sequence[str]) -> None:  # noqa: ARG003
        """Return if the sequence has as many dimensions as the space has genes.

        Raises:
            ParamsError: it has not.
        """
        if len(space.genes) > qmc.Sobol.MAXDIM:
            raise ParamsError(
                f"params.yaml: select.optimizer is Sobol and the space has {len(space.genes):,} "
                f"genes; the sequence has {qmc.Sobol.MAXDIM:,} dimensions. Take random."
            )

    def _propose(self, seats: Seats) -> list[Drawn]:
        sequence = qmc.Sobol(len(self.space.genes), rng=key("sobol", self.params.seed) % 2**32)
        if num_past := seats.generation * self.params.population + seats.first:  # of 0 it fails
            sequence.fast_forward(num_past)
        drawn = [
            self.space.from_unit(sequence.random(1)[0].tolist())  # many at once give a warning
            for _ in seats.names
        ]
        kept = [self.space.round(start) for start in seats.starts]
        return [(genome, ()) for genome in (*kept, *drawn[len(kept) :])]

    def _learn(self, lesson: Lesson) -> None:
        """Learn nothing."""
