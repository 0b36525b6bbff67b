"""What a search is to the rest of germline: it proposes candidates and is told their results.

A strategy keeps no file. Its state is rebuilt by replay: the same params, the same seed and the
same results, told in the same steps, give the same proposals in any process. Whatever a
strategy needs to know about its own library or population stays in its own file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from stages.lineage.evaluation import Evaluation
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space


@dataclass(frozen=True, slots=True)
class Proposal:
    """A genome to evaluate.

    ``ancestors`` are the names of the candidates that it was drawn from, or of the warm start
    that it is.
    """

    name: str
    genome: Genome
    ancestors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the proposal ``name``.

    ``objectives`` are maximised: the fitness alone, or one number for each objective; None stands
    for a candidate that failed. ``evaluation`` holds the score of every item that the candidate
    answered. ``rung`` counts the rungs of a race that it reached; it is 0 without a race, and for
    a candidate that failed in one.
    """

    name: str
    objectives: tuple[float, ...] | None
    evaluation: Evaluation | None = None
    rung: int = 0


class Strategy(Protocol):
    """Proposes a generation, is told all its results, and proposes the next.

    With the steady schedule it proposes as many as ``ask_schedule`` allows and is told the results
    of those that are out longest.
    """

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if this strategy can search as ``params`` say.

        Raises:
            ParamsError: it cannot; the message says why.
        """

    @classmethod
    def check_tasks(cls, space: Space, params: SelectParams, tasks: Sequence[str]) -> None:
        """Return if the search can go by the scores of these tasks; called before a run.

        Raises:
            ParamsError: it cannot; the message says why.
        """

    @classmethod
    def averages_centre(cls, params: SelectParams) -> bool:
        """Return whether the centre is an average over generations, and needs no shortlist."""

    @classmethod
    def build(cls, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> Self:
        """Return the strategy before its first generation; ``starts`` are its warm starts.

        Raises:
            ParamsError: the strategy cannot search this space as ``params`` say.
        """

    def ask(self) -> list[Proposal]:
        """Return the next generation, or what a steady search may ask now, which may be nothing.

        The warm starts are the first of generation 0.

        Raises:
            LineageError: the last generation has not been told, or all have been asked.
        """

    def tell(self, results: Sequence[Result]) -> None:
        """Take in the results of the generation asked last, in any order.

        Of a steady search they are those of the candidates out longest, one or more.

        Raises:
            LineageError: there is not one result for each proposal, or one is not finite.
        """

    def elites(self) -> tuple[Proposal, ...]:
        """Return the fittest candidates that the strategy holds, best first."""

    def centre(self) -> Proposal | None:
        """Return the one genome that the search has settled on, rounded; None if it has none."""
