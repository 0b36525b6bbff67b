"""The charts of the report's page for a notebook, where nothing is clicked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.report.page.chart_specs import chart_specs
from stages.report.page.page_data import page_data
from stages.report.page.vega_bundle import vega_lite_version
from stages.report.story import Story

if TYPE_CHECKING:
    import altair as alt

WIDTH = 640  # pixels; the page's charts are as wide as the page
_DIGITS = 3
# By chart and axis the parameter that a menu of the page sets: what the axis shows.
_CHOSEN = {"slices": {"x": "gene"}, "tradeoff": {"x": "across", "y": "up"}}


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart that a notebook shows as a picture, without a script and without a network.

    ``spec`` is its Vega-Lite specification, with its data.
    """

    spec: dict[str, Any]

    @property
    def chart(self) -> "alt.Chart":
        """The Altair chart, with its data, to be changed or shown by what shows Altair."""
        import altair as alt

        chart: alt.Chart = alt.Chart.from_dict(self.spec)
        return chart

    def _repr_svg_(self) -> str:
        import vl_convert

        return str(vl_convert.vegalite_to_svg(self._on_white(), vega_lite_version()))

    def png(self) -> bytes:
        """Return the picture in pixels: its size hardly grows with the number of candidates."""
        import vl_convert

        return bytes(vl_convert.vegalite_to_png(self._on_white(), vega_lite_version()))

    def _on_white(self) -> dict[str, Any]:
        """Return the chart on white: where it is shown may be dark, and its letters are, too."""
        return {**self.spec, "config": {**self.spec.get("config", {}), "background": "#ffffff"}}


def plots_of(story: Story) -> dict[str, Plot]:
    """Return the charts by name; those that show one candidate that was clicked are left out."""
    data = page_data(story.search, story)
    tables = {"candidates": _candidates(data["candidates"])}
    tables |= {name: data[name] for name in ("generations", "gene_effects", "cost")}
    tables |= {name: data[name] for name in ("leads", "shortlist")}
    tables |= {name: data[name] for name in data if name.startswith(("path_", "scan_"))}
    plots = {}
    for name, spec in chart_specs(story.search, story).items():
        needed = set(_data_names(spec))
        if needed <= set(tables):
            datasets = {table: tables[table] for table in needed}
            still = _with_chosen(spec, _CHOSEN.get(name, {}))
            plots[name] = Plot({**still, "width": WIDTH, "datasets": datasets})
    return plots


def _with_chosen(spec: dict[str, Any], by_axis: Mapping[str, str]) -> dict[str, Any]:
    """Name on the axes what a menu next to the chart says on the page; a picture has no menu."""
    values = {param["name"]: param.get("value") for param in spec.get("params", [])}
    named = {
        axis: {**spec["encoding"][axis], "title": values[param]} for axis, param in by_axis.items()
    }
    return {**spec, "encoding": {**spec["encoding"], **named}} if named else spec


def _candidates(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a record for each scored candidate, with the fields that the charts read."""
    plain = ("name", "generation", "fitness", "stderr", "items", "ended", "unbeaten")
    records = []
    for index, fitness in enumerate(columns["fitness"]):
        if fitness is None:
            continue
        scores = {t: s[index] for t, s in columns["scores"].get("search", {}).items()}
        by_task = {task: score and score[0] for task, score in scores.items()}
        genes = {gene: values[index] for gene, values in columns["genes"].items()}
        record = {name: columns[name][index] for name in plain}
        records.append(
            {
                **record,
                "by_task": by_task,
                "values": genes,
                "scores": _text(by_task),
                "genes": _text(genes),
            }
        )
    return records


def _text(values: Mapping[str, float | None]) -> str:
    known = {name: value for name, value in values.items() if value is not None}
    return ", ".join(f"{name} {value:.{_DIGITS}f}" for name, value in known.items())


def _data_names(spec: Any) -> Iterator[str]:
    """Yield the names of the tables that a specification reads."""
    if isinstance(spec, Mapping):
        named = spec.get("data")
        if isinstance(named, Mapping) and "name" in named:
            yield named["name"]
        for value in spec.values():
            yield from _data_names(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from _data_names(value)
