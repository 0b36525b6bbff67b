"""What is compared on the zoo's models: our strategies, and two peers' settings.

mergekit-evolve  pycma as MergeKit's ``mergekit-evolve`` uses it: from weights of 1/n, with a sigma
                 of 1/6, the default population, no bounds and the absolute value of each gene.
Mergenetic       pymoo's GA as Mergenetic's experiments use it (``peer_search.py``).
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cma

from stages.lineage.evaluation import Evaluation
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.registry import strategy_of
from stages.select.strategies.strategy import Proposal, Result

POPULATION = 12
_SIGMA = 1 / 6
_WORST = 0.0  # what a peer is told of a candidate that failed
_ENVIRONMENT = Path(".scratch/oracle/bin/python")

Scores = Sequence[Evaluation | None]


class ComparedSearch(Protocol):
    """Asks for genomes and is told what they scored; None stands for one that failed."""

    def ask(self) -> list[Genome]:
        """Return the next generation."""

    def tell(self, scores: Scores) -> None:
        """Take in the scores of the generation asked last, in its order."""

    def centre(self) -> Genome | None:
        """Return the genome that the search has settled on; None where it has none."""


class OwnSearch:
    """A strategy of germline, without warm starts."""

    def __init__(
        self, space: Space, params: SelectParams, weights: dict[str, float], seed: int
    ) -> None:
        self._params = params.model_copy(update={"seed": seed})
        self._strategy = strategy_of(space, self._params, {})
        self._weights = weights
        self._out: list[Proposal] = []

    def ask(self) -> list[Genome]:
        """Return the next generation."""
        self._out = self._strategy.ask()
        return [proposal.genome for proposal in self._out]

    def tell(self, scores: Scores) -> None:
        """Take in the scores of the generation asked last, in its order."""
        self._strategy.tell(
            [
                Result(proposal.name, self._objectives(evaluation), evaluation)
                for proposal, evaluation in zip(self._out, scores, strict=True)
            ]
        )

    def centre(self) -> Genome | None:
        """Return the centre of the strategy."""
        proposal = self._strategy.centre()
        return None if proposal is None else proposal.genome

    def _objectives(self, evaluation: Evaluation | None) -> tuple[float, ...] | None:
        if evaluation is None:
            return None
        if self._params.objectives == "separate":
            return evaluation.objectives()
        return (evaluation.fitness(self._weights),)


class _Foreign:
    """A search in the unit cube that knows a fitness alone, and has no centre."""

    def __init__(self, space: Space, weights: dict[str, float]) -> None:
        self._space = space
        self._weights = weights

    def centre(self) -> None:
        """Return None."""

    def _genomes(self, points: Sequence[Sequence[float]]) -> list[Genome]:
        return [self._space.from_unit(point) for point in points]

    def _costs(self, scores: Scores) -> list[float]:
        return [-(e.fitness(self._weights) if e else _WORST) for e in scores]


class EvolveSearch(_Foreign):
    """CMA-ES as MergeKit's evolve sets it; ``highest`` is the weight at the cube's end."""

    def __init__(
        self, space: Space, weights: dict[str, float], seed: int, num_parents: int, highest: float
    ) -> None:
        super().__init__(space, weights)
        self._highest = highest
        start = [1 / num_parents] * len(space.genes)
        options = {"seed": seed + 1, "verbose": -9}  # pycma takes 0 for no seed
        self._search = cma.CMAEvolutionStrategy(start, _SIGMA, options)
        self._out: list[Sequence[float]] = []

    def ask(self) -> list[Genome]:
        """Return the next generation."""
        self._out = self._search.ask()
        highest = self._highest
        return self._genomes([[min(abs(x), highest) / highest for x in p] for p in self._out])

    def tell(self, scores: Scores) -> None:
        """Take in the scores of the generation asked last, in its order."""
        self._search.tell(self._out, self._costs(scores))


class MergeneticSearch(_Foreign):
    """A genetic algorithm that runs in another process."""

    def __init__(self, space: Space, weights: dict[str, float], seed: int, folder: Path) -> None:
        super().__init__(space, weights)
        program = Path(__file__).with_name("peer_search.py")
        arguments = [str(folder / _ENVIRONMENT), str(program), str(len(space.genes)), str(seed)]
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
        )

    def ask(self) -> list[Genome]:
        """Return the next generation."""
        assert self._process.stdout is not None
        return self._genomes(json.loads(self._process.stdout.readline()))

    def tell(self, scores: Scores) -> None:
        """Take in the scores of the generation asked last, in its order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._costs(scores)) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
