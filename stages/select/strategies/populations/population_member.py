"""A candidate of a population: what was proposed, and what it scored."""

from dataclasses import dataclass

from stages.errors import LineageError
from stages.lineage.evaluation import Evaluation
from stages.select.space.space import Genome
from stages.select.strategies.strategy import Proposal, Result


@dataclass(frozen=True, slots=True)
class PopulationMember:
    """A scored candidate; one that failed is never a member."""

    proposal: Proposal
    result: Result

    @property
    def name(self) -> str:
        """The name of its row in the lineage."""
        return self.proposal.name

    @property
    def genome(self) -> Genome:
        """The genome that was merged."""
        return self.proposal.genome

    @property
    def objectives(self) -> tuple[float, ...]:
        """What is maximised: the fitness alone, or one number for each objective."""
        return self.result.objectives or ()

    @property
    def evaluation(self) -> Evaluation:
        """The scores of its tasks and items.

        Raises:
            LineageError: only its fitness was told.
        """
        if self.result.evaluation is None:
            raise LineageError(
                f"search, candidate {self.name}: its fitness was told without its evaluation. "
                "This strategy goes by the scores of tasks and items; tell them too."
            )
        return self.result.evaluation


def names_of(*members: PopulationMember) -> tuple[str, ...]:
    """Return the members' names as ancestors: each once, in order of name."""
    return tuple(sorted({member.name for member in members}))
