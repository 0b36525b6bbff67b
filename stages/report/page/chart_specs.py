"""The charts that a page shows: those that its story has something to say in."""

from collections.abc import Sequence
from typing import Any

from altair.utils.schemapi import debug_mode

from stages.report.candidates.layer_sources import PathLayer, hops_of_recipe, merges_in
from stages.report.candidates.scan_story import ScanStory
from stages.report.charts.cost_chart import cost_chart
from stages.report.charts.family_chart import family_chart
from stages.report.charts.fitness_chart import fitness_chart
from stages.report.charts.gene_charts import (
    NUM_LINES,
    importance_chart,
    parallel_chart,
    slice_chart,
)
from stages.report.charts.layers.layer_charts import layer_chart
from stages.report.charts.layers.path_chart import PathExtent, path_chart
from stages.report.charts.layers.scan_charts import repeat_map, splice_map
from stages.report.charts.lead_chart import lead_chart
from stages.report.charts.race_chart import race_chart
from stages.report.charts.shortlist_chart import shortlist_chart
from stages.report.charts.tradeoff_chart import tradeoff_chart
from stages.report.search_story import SearchStory
from stages.report.story import Story

Spec = dict[str, Any]
Path = tuple[PathLayer, ...]
_CROWD = 2000  # candidates; more of them hide each other


def chart_specs(search: SearchStory, story: Story | None) -> dict[str, Spec]:
    """Return Vega-Lite specifications by name; a template leaves out the charts it lacks.

    The tests check them against Vega-Lite's schema: here that would take a third of the time.
    """
    with debug_mode(False):
        return _charts(search, story)


def _charts(search: SearchStory, story: Story | None) -> dict[str, Spec]:
    scored = [row for row in search.lineage if row.fitness is not None]
    cost = cost_chart(1 if story is None else 3)
    specs = {"cost": cost, **_search_charts(search, story, len(scored))} if scored else {}
    if story is None:
        return specs
    num_leads = len(story.rivals) + len(story.in_tasks)
    leads = {"leads": lead_chart(num_leads)} if num_leads else {}
    paths = {
        f"path_{number}": path_chart(
            f"path_{number}",
            _extent(search, story, [one.path]),
            f"The path of {one.name}: {one.words}.",
        )
        for number, one in enumerate(story.paths)
    }
    return {**specs, **leads, **paths, "shortlist": shortlist_chart()}


def _search_charts(search: SearchStory, story: Story | None, num_scored: int) -> dict[str, Spec]:
    specs = {"fitness": fitness_chart(is_raced=search.is_raced, is_crowded=num_scored > _CROWD)}
    genes = [effect.gene for effect in search.gene_effects]
    if genes:
        specs["genes"] = parallel_chart(len(genes), min(NUM_LINES, num_scored))
        specs["slices"] = slice_chart(genes)
    if any(effect.explained is not None for effect in search.gene_effects):
        specs["importance"] = importance_chart(len(genes))
    tallest = max(figures.num_ok for figures in search.generations)
    specs["family"] = family_chart(tallest)
    if search.unbeaten:
        specs["tradeoff"] = tradeoff_chart(search.tasks, search.costs)
    if search.is_raced:
        specs["races"] = race_chart()
    if search.num_layers:
        specs["layers"] = layer_chart(_num_sources(search))
    searched = _paths_of(search)
    if searched:
        says = "The path of the candidate that is picked, which the words above tell, too."
        specs["path"] = path_chart("hops", _extent(search, story, searched), says)
    return {**specs, **_scan_maps(search.scan)}


def _extent(search: SearchStory, story: Story | None, shown: Sequence[Path]) -> PathExtent:
    """Return the scales of a picture in which the paths ``shown`` can be.

    Columns and colours are those of all paths of the page, so that pictures can be compared.
    """
    paths = [*_paths_of(search), *(one.path for one in (story.paths if story else ()))]
    hops = [hop for path in shown for hop in path]
    return PathExtent(
        num_layers=max(len(path) for path in shown),
        num_source_layers=1 + max(layer for path in paths for _, layer in _sources(path)),
        ancestors=tuple(sorted({name for path in paths for name, _ in _sources(path)})),
        shown=tuple(sorted({name for path in shown for name, _ in _sources(path)})),
        has_gains=any((hop.attention_gain, hop.mlp_gain) != (1.0, 1.0) for hop in hops),
    )


def _paths_of(search: SearchStory) -> list[Path]:
    """Return the paths of the candidates that are any."""
    return [tuple(hops_of_recipe(row.recipe)) for row in search.lineage if row.recipe.layers]


def _sources(path: Path) -> list[tuple[str, int]]:
    return [source for hop in path for source in hop.sources]


def _scan_maps(scan: ScanStory) -> dict[str, Spec]:
    specs = {}
    if scan.splices:
        pairs = {(one.first, one.second) for one in scan.splices}
        highest = max(one.cut for one in scan.splices)
        specs["scan_splices"] = splice_map(len(pairs), highest, scan.bounds)
    starts = [one.start for one in scan.repeats]
    for number, model in enumerate(scan.models):
        blocks = [one for one in scan.repeats if one.model == model]
        num_rows = len({(one.length, one.damped) for one in blocks})
        name, ends = f"scan_repeats_{number}", (min(starts), max(starts))
        specs[name] = repeat_map(number, model, num_rows, ends, scan.bounds)
    return specs


def _num_sources(search: SearchStory) -> int:
    """Return how many rows of the layer chart a candidate may need: its parents by component."""
    own = [row.recipe for row in search.lineage]
    recipes = [recipe for recipe in own if not recipe.layers]
    recipes += [one.recipe for recipe in own for one in merges_in(recipe)]
    components = {rule.component for recipe in recipes for rule in recipe.rules} - {None}
    return max((len(recipe.merged) for recipe in recipes), default=1) * (3 if components else 1)
