"""A run of any size for the page: genes, tasks, layers and failures, drawn from a seed."""

from dataclasses import replace

import numpy as np

from stages.lineage.rows import Row, candidate_name
from stages.recipe.recipe import Model, Recipe, Rule
from stages.report.story import Story
from tests.report.conftest import ERROR, rows_of, selection_of, told

PARENTS = ("math", "spanish", "<b>order</b>")
TASKS = ("spanish_arithmetic", "english_arithmetic", "english_sorting")
POPULATION = 50


def large_story(num_candidates: int) -> Story:
    """Return the story of a search of so many candidates; its names hold HTML."""
    rows = large_rows(num_candidates)
    best = max(rows, key=lambda row: row.fitness or 0.0)
    selection = selection_of("<script>alert(1)</script>")
    first, other = selection.shortlist
    shortlist = (replace(first, name=best.name, id=best.id, genes=best.genes), other)
    entries = tuple(
        replace(entry, name=best.name, recipe=best.recipe.to_dict())
        if entry.kind == "champion"
        else entry
        for entry in selection.entries
    )
    return told(rows, replace(selection, champion=best.name, shortlist=shortlist, entries=entries))


def large_rows(num_candidates: int) -> list[Row]:
    """Return rows in generations of ``POPULATION``; every fortieth failed."""
    draw = np.random.default_rng(7)
    models = [Model(name, f"{index}{index}") for index, name in enumerate(PARENTS)]
    template = rows_of()[0]
    rows: list[Row] = []
    for number in range(num_candidates):
        generation, number_in_generation = divmod(number, POPULATION)
        weights = np.round(draw.uniform(0, 1.5, (3, 3)), 4)
        rules = [
            Rule({"weight": tuple(map(float, w))}, layers=(2 * i, 2 * i + 2))
            for i, w in enumerate(weights)
        ]
        recipe = Recipe.of_models("linear", models, [*rules, Rule({"weight": 1.0})])
        scores = np.clip(0.4 + 0.4 * weights[:, 0] / 1.5 + draw.normal(0, 0.05, 3), 0, 1)
        before = candidate_name(generation - 1, number_in_generation) if generation else PARENTS[0]
        row = replace(
            template,
            name=candidate_name(generation, number_in_generation),
            id=recipe.id,
            generation=generation,
            ancestors=(before, candidate_name(max(generation - 1, 0), 0)),
            genes={
                f"layers{2 * i:02d}-{2 * i + 1:02d}.weight.{parent}": float(weights[i, j])
                for i in range(3)
                for j, parent in enumerate(PARENTS)
            },
            recipe=recipe,
            scores={"search": {t: _score(float(s)) for t, s in zip(TASKS, scores, strict=True)}},
            fitness=float(scores.mean()),
            fitness_stderr=0.02,
        )
        rows.append(_failed(row) if number % 40 == 39 else row)
    return rows


def _score(score: float) -> dict[str, object]:
    return {
        "score": round(score, 3),
        "stderr": 0.03,
        "num_items": 100,
        "metric": "acc",
        "higher_is_better": True,
    }


def _failed(row: Row) -> Row:
    return replace(row, status="failed", error=ERROR, scores={}, fitness=None, fitness_stderr=None)
