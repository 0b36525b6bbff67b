"""A run whose candidates are paths: a scan of all that it can try, a path through a merge."""

from dataclasses import replace
from typing import Any

from stages.lineage.outcome import Outcome
from stages.lineage.rows import SCAN, Row, scan_name
from stages.lineage.selection import TestedModel as Tested
from stages.params.space.space_params import SpaceParams
from stages.recipe.candidate import Candidate
from stages.report.story import Story
from stages.select.space.scan import scanned
from stages.select.space.space import Space
from tests.report.conftest import TASK_WEIGHTS, evaluation_of, selection_of, told
from tests.select.space.layers.paths import NAMES, SPECS, genome_of, paths, recipe_of

GAINS: dict[str, Any] = {"attention_gain": [0.25, 4.0], "mlp_gain": [0.25, 4.0]}


def scan_rows(space: Space, budget: int = 100) -> list[Row]:
    """Return the rows of a scan: candidate n has n of twenty items right, and never more."""
    rows = []
    for number, (genome, models) in enumerate(scanned(space, budget).items()):
        candidate = Candidate(scan_name(number), genome, recipe_of(space, genome), SCAN, models)
        outcome = Outcome("ff", evaluation_of("search", min(number, 20)))
        rows.append(Row.of(candidate, space.named(genome), outcome, weights=TASK_WEIGHTS))
    return rows


def through_merge() -> Row:
    """Return a row of a path that begins in a merge and ends in a parent, with a gain there."""
    layers = {"encoding": "splice", "mlp_gain": [0.5, 2.0]}
    params = {"methods": ["linear"], "layer_groups": 3, "layers": layers}
    space = Space(
        SpaceParams.model_validate(params),
        specs=SPECS,
        num_parents=2,
        num_layers=6,
        parent_names=NAMES[:2],
    )
    values: dict[str, float | str] = {
        "layers00-01.weight.a": 0.25,
        "layers02-03.weight.a": 0.5,
        "cut1": 4.0,
        "segment1.model": "merge",
        "segment2.model": "b",
        "segment1.log_mlp_gain": 0.0,
        "segment2.log_mlp_gain": 0.6931,
    }
    genome = genome_of(space, values)
    candidate = Candidate("g00-c00", genome, recipe_of(space, genome), 0, ("uniform",))
    outcome = Outcome("ff", evaluation_of("search", 19))
    return Row.of(candidate, space.named(genome), outcome, weights=TASK_WEIGHTS)


def path_story() -> Story:
    """Return the story of a scan and a champion through a merge, with a baseline in layers."""
    winner, selection = through_merge(), selection_of()
    rows = [*scan_rows(paths("splice")), winner]
    entries = [
        replace(entry, name=winner.name, recipe=winner.recipe.to_dict())
        if entry.kind == "champion"
        else replace(entry, recipe=rows[0].recipe.to_dict())
        for entry in selection.entries
    ]
    alone = Tested("layers", "tuned", rows[4].recipe.to_dict(), "ff", evaluation_of("test", 9), 60)
    shortlist = (replace(selection.shortlist[0], name=winner.name, id=winner.id),)
    run = replace(selection, champion=winner.name, shortlist=shortlist, entries=(*entries, alone))
    return told(rows, run, halves=("parameters", "layers"))
