"""The evolve flow: download, merge, evaluate and select, generation after generation.

There is no checkpoint file. A rerun with the same params asks for the same genomes and finds their
evaluations in the store, up to the point where the last run ended.
"""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.console import SearchProgress, main, say
from flows.laboratory import (
    LINEAGE,
    Laboratory,
    conduct,
    evaluate_all,
    fresh,
    laboratory,
    merge,
    write_json_lines,
    write_records,
)
from flows.preflight import SPECS
from flows.worker import Outcome
from stages.checkpoint import Checkpoint
from stages.evaluate.known_tests import cautions
from stages.lineage import MEAN, Journal, Row, candidate_name, write_rows
from stages.params import Params, load_params
from stages.recipe import Candidate
from stages.select.baselines import warm_starts
from stages.select.choose import shortlist
from stages.select.search import Search
from stages.select.space import Genome, Space

KEPT = Path("data/kept")
JOURNAL = Path("reports/runs/evolve.jsonl")
SPLIT = "search"


class Evolution:
    """The search and its growing lineage: proposes candidates and takes their outcomes."""

    def __init__(self, lab: Laboratory) -> None:
        params = lab.params
        depth = Checkpoint(lab.parents.base_folder).num_layers
        names = [model.name for model in lab.parents.models]
        self.space = Space(
            params.select.space,
            specs=SPECS,
            num_parents=len(names),
            num_layers=depth,
            parent_names=names,
        )
        starts = warm_starts(params.select.warm_start, self.space)
        self.search = Search(self.space, params.select, starts)
        self.lab = lab
        self.rows: list[Row] = []
        self.weights = lab.scorer.suite.weights

    def candidate(
        self, name: str, genome: Genome, generation: int, ancestors: tuple[str, ...]
    ) -> Candidate:
        """Return the candidate that ``genome`` decodes to."""
        recipe = self.space.make_recipe(
            genome,
            base=self.lab.parents.base,
            parents=self.lab.parents.models,
            merge=self.lab.params.merge,
        )
        return Candidate(name, genome, recipe, generation, ancestors)

    def propose(self, generation: int) -> list[Candidate]:
        """Return the next generation, in ask order."""
        genomes = self.search.ask()
        return [
            self.candidate(candidate_name(generation, place), genome, generation, ancestors)
            for place, (genome, ancestors) in enumerate(
                zip(genomes, self.search.ancestors, strict=True)
            )
        ]

    def fitness(self, outcome: Outcome) -> float | None:
        """Return an outcome's fitness; None where it failed."""
        return outcome.evaluation.fitness(self.weights) if outcome.evaluation else None

    def record(self, candidates: Sequence[Candidate], outcomes: dict[str, Outcome]) -> list[Row]:
        """Append a row for each candidate and return them."""
        rows = [
            Row.of(c, self.space.named(c.genome), outcomes[c.name], weights=self.weights)
            for c in candidates
        ]
        self.rows.extend(rows)
        return rows


@task(name="select", cache_policy=NO_CACHE, persist_result=False)
def select(
    evolution: Evolution, candidates: Sequence[Candidate], outcomes: dict[str, Outcome]
) -> list[Row]:
    """Tell the optimiser a whole generation in ask order and record it in the lineage."""
    evolution.search.tell([evolution.fitness(outcomes[c.name]) for c in candidates])
    return evolution.record(candidates, outcomes)


@flow(name="evolve", validate_parameters=False)
def evolve(params: Params) -> None:
    """Run the search of ``params``; write its lineage, its evaluations and the elite's weights."""
    with laboratory(params, LINEAGE / "store.jsonl") as lab:
        for caution in cautions(lab.scorer.suite):
            say(f"warning: {caution}")
        evolution = Evolution(lab)
        total = params.select.population * params.select.generations + 1  # and the mean
        journal = Journal(JOURNAL)
        with SearchProgress(total, "evolve") as progress:
            for generation in range(params.select.generations):
                candidates = evolution.propose(generation)
                outcomes = score_candidates(evolution, candidates, progress)
                rows = select(evolution, candidates, outcomes)
                journal.add(rows)
                show(generation, rows, progress)
            score_mean(evolution, progress)
        write_rows(fresh(LINEAGE) / "genomes.jsonl", evolution.rows)
        write_records(lab, LINEAGE)
        keep_weights(evolution)
        progress.say(f"{len(evolution.rows)} candidates, {lab.scorer.num_computed} evaluated now")


def score_candidates(
    evolution: Evolution, candidates: Sequence[Candidate], progress: SearchProgress
) -> dict[str, Outcome]:
    """Return each candidate's outcome on the search split."""

    def note(outcome: Outcome, count: int) -> None:
        progress.best(evolution.fitness(outcome))
        progress.advance(count)

    recipes = {c.name: c.recipe for c in candidates}
    return evaluate_all(evolution.lab, recipes, SPLIT, note)


def score_mean(evolution: Evolution, progress: SearchProgress) -> None:
    """Record the mean of the search distribution, which is less lucky than the best candidate."""
    mean = evolution.search.mean()
    if mean is None:
        return
    candidate = evolution.candidate(
        MEAN, mean, evolution.search.generation, evolution.search.better_half
    )
    evolution.record([candidate], score_candidates(evolution, [candidate], progress))


def show(generation: int, rows: Sequence[Row], progress: SearchProgress) -> None:
    """Show a generation at the terminal and as a table on the Prefect page."""
    scored = [row.fitness for row in rows if row.fitness is not None]
    failed = len(rows) - len(scored)
    best = (
        f"best {max(scored):.4f}, mean {sum(scored) / len(scored):.4f}" if scored else "no score"
    )
    progress.say(f"generation {generation}: {best}" + (f", {failed} failed" if failed else ""))
    create_table_artifact(
        key="generation",
        table=[row.brief() for row in rows],
        description=f"Generation {generation}: {best}",
    )


def keep_weights(evolution: Evolution) -> None:
    """Put the weights that merge.keep asks for into data/kept, one folder a recipe.

    ``kept.jsonl`` says which folder holds which candidate.
    """
    lab, rows = evolution.lab, evolution.rows
    fresh(KEPT)
    kept = {
        "none": [],
        "elite": shortlist(rows, lab.params.select.shortlist),
        "all": [row for row in rows if row.fitness is not None],
    }[lab.params.merge.keep]
    index = []
    for recipe_id, row in {row.id: row for row in kept}.items():
        folder = recipe_id[:16]
        weights_hash = merge(lab, row.recipe, KEPT / folder)
        index.append({"folder": folder, "name": row.name, "weights_hash": weights_hash})
    write_json_lines(KEPT / "kept.jsonl", index)


def run() -> None:
    """Check params.yaml, then evolve with as many threads as there are workers."""
    params = load_params()
    say(
        f"evolve: {params.select.generations} generations of {params.select.population} "
        f"candidates on {len(params.evaluate.tasks)} tasks, {params.evaluate.workers} at a time"
    )
    conduct(evolve, params)


if __name__ == "__main__":
    main(run)
