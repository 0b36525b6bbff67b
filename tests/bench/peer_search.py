"""Mergenetic's genetic algorithm, driven by lines of JSON: pymoo, in an environment of its own.

Run as ``python peer_search.py NUM_GENES SEED`` in the environment of tools/oracle_venv.py, it
writes a population of points in the unit cube, one JSON list a line, reads their costs, which are
minimised, and goes on until its input ends. The operators and their settings are those of the
experiments that Mergenetic ships, and 10 points a population what its wizard proposes; their
points are whole numbers for SLERP's grid, and here not.
"""

import json
import sys

import numpy as np
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM

POPULATION = 10


def main() -> None:
    """Ask and tell until standard input ends."""
    num_genes, seed = map(int, sys.argv[1:])
    problem = Problem(n_var=num_genes, n_obj=1, xl=0.0, xu=1.0)
    algorithm = GA(pop_size=POPULATION, crossover=SBX(), mutation=PM(), eliminate_duplicates=True)
    algorithm.setup(problem, termination=("n_gen", 10_000), seed=seed, verbose=False)
    while True:
        asked = algorithm.ask()
        sys.stdout.write(json.dumps(asked.get("X").tolist()) + "\n")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return
        asked.set("F", np.array(json.loads(line), dtype=float)[:, None])
        algorithm.tell(infills=asked)


if __name__ == "__main__":
    main()
