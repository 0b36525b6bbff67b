"""The charts that a page shows: those that its story has something to say in."""

from typing import Any

from stages.report.charts.cost_chart import cost_chart
from stages.report.charts.family_chart import family_chart
from stages.report.charts.fitness_chart import fitness_chart
from stages.report.charts.gene_charts import (
    NUM_LINES,
    importance_chart,
    parallel_chart,
    slice_chart,
)
from stages.report.charts.layer_charts import layer_chart, path_chart
from stages.report.charts.lead_chart import lead_chart
from stages.report.charts.race_chart import race_chart
from stages.report.charts.shortlist_chart import shortlist_chart
from stages.report.charts.tradeoff_chart import tradeoff_chart
from stages.report.search_story import SearchStory
from stages.report.story import Story

Spec = dict[str, Any]
_CROWD = 2000  # candidates; more of them hide each other


def chart_specs(search: SearchStory, story: Story | None) -> dict[str, Spec]:
    """Return Vega-Lite specifications by name; a template leaves out the charts it lacks."""
    scored = [row for row in search.lineage if row.fitness is not None]
    cost = cost_chart(1 if story is None else 3)
    specs = {"cost": cost, **_search_charts(search, len(scored))} if scored else {}
    if story is None:
        return specs
    num_leads = len(story.rivals) + len(story.task_rivals)
    leads = {"leads": lead_chart(num_leads)} if num_leads else {}
    return {**specs, **leads, "shortlist": shortlist_chart()}


def _search_charts(search: SearchStory, num_scored: int) -> dict[str, Spec]:
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
    if any(row.recipe.layers for row in search.lineage):
        specs["path"] = path_chart()
    return specs


def _num_sources(search: SearchStory) -> int:
    """Return how many rows of the layer chart a candidate may need: its parents by component."""
    recipes = [row.recipe for row in search.lineage]
    components = {rule.component for recipe in recipes for rule in recipe.rules} - {None}
    return max(len(recipe.merged) for recipe in recipes) * (3 if components else 1)
