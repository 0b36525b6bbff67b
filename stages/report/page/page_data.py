"""What the page's scripts read: the story as JSON, candidates by column so that many are small."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from stages.lineage.evaluation import recorded_error
from stages.lineage.paired_tests import p_text
from stages.lineage.rows import Row
from stages.report.candidates.layer_sources import Composition, PathLayer, composition
from stages.report.candidates.pictured_paths import gains_in_brief, in_words
from stages.report.candidates.scan_story import ScanStory
from stages.report.candidates.shortlist_course import shortlist_course
from stages.report.charts.lead_chart import WORDS
from stages.report.comparisons import Lead
from stages.report.search_story import SearchStory
from stages.report.story import Story

_DECIMALS = 6  # of scores; genes and recipes are as they are


def page_data(search: SearchStory, story: Story | None) -> dict[str, Any]:
    """Return plain JSON data of a search and, once there is one, of the story it belongs to."""
    data: dict[str, Any] = {
        "candidates": _columns(search, {} if story is None else story.task_weights),
        "generations": [_rounded(asdict(figures)) for figures in search.generations],
        "gene_effects": [asdict(effect) for effect in search.gene_effects],
        "is_raced": search.is_raced,
        "num_layers": search.num_layers,
        "tasks": list(search.tasks),
        **_scan(search.scan),
    }
    if story is None:
        return data | {"cost": [{"use": "search", "items": search.num_items}]}
    return data | {
        "champion": story.champion.name,
        "cost": [
            {"use": "search", "items": story.cost.search},
            {"use": "choice from the shortlist", "items": story.cost.validation},
            {"use": "test split", "items": story.cost.test},
        ],
        "items": _items(story),
        "leads": _leads(story),
        **{f"path_{number}": path_data(one.path) for number, one in enumerate(story.paths)},
        "shortlist": _shortlist(story),
    }


def _columns(search: SearchStory, weights: Mapping[str, float]) -> dict[str, Any]:
    """Return the candidates column by column; what all recipes share is given once."""
    rows = search.lineage
    recipes = [row.recipe.to_dict() for row in rows]
    first = recipes[0] if recipes else {}
    shared = {k: v for k, v in first.items() if all(r.get(k) == v for r in recipes)}
    genes = sorted({name for row in rows for name in row.genes})
    unbeaten = set(search.unbeaten)
    splits = sorted({split for row in rows for split in row.scores})
    scores = {split: _scores(rows, split) for split in splits}
    for unit in search.costs:
        scores.setdefault("search", {})[unit] = [[row.child_cost.get(unit), None] for row in rows]
    return {
        "name": [row.name for row in rows],
        "id": [row.id for row in rows],
        "weights_hash": [row.weights_hash for row in rows],
        "generation": [row.generation for row in rows],
        "fitness": [_round(row.fitness) for row in rows],
        "stderr": [_round(row.shown_error(weights)) for row in rows],
        "items": [row.num_items for row in rows],
        "ended": [row.name in search.ended for row in rows],
        "unbeaten": [row.name in unbeaten for row in rows],
        "ancestors": [list(row.ancestors) for row in rows],
        "error": [row.error for row in rows],
        "genes": {gene: [row.genes.get(gene) for row in rows] for gene in genes},
        "scores": scores,
        "composition": [_composition(row, search.num_layers) for row in rows],
        "recipe_shared": shared,
        "recipe": [{k: v for k, v in r.items() if k not in shared} for r in recipes],
    }


def _scores(rows: Sequence[Row], split: str) -> dict[str, list[list[float | None] | None]]:
    """Return score and error of each task; None for a row that has not met the split."""
    by_row = [row.scores.get(split, {}) for row in rows]
    tasks = sorted({task for scores in by_row for task in scores})
    return {
        task: [
            [_round(s[task]["score"]), _round(recorded_error(s[task]))] if task in s else None
            for s in by_row
        ]
        for task in tasks
    }


def _composition(row: Row, num_layers: int) -> dict[str, Any]:
    """Return what a candidate is made of, without what is empty."""
    return _plain(composition(row.recipe, num_layers))


def _plain(parts: Composition) -> dict[str, Any]:
    layers = [
        {f.name: v for f in fields(layer) if (v := getattr(layer, f.name)) is not None}
        for layer in parts.layers
    ]
    whole = {
        "layers": layers,
        "path": path_data(parts.path),
        "words": in_words(parts.path, parts.stream_scale),
        "exceptions": list(parts.exceptions),
        "merges": {name: _plain(merge) for name, merge in parts.merges.items()},
    }
    return {key: value for key, value in whole.items() if value}


def path_data(path: Sequence[PathLayer]) -> list[dict[str, Any]]:
    """Return one record for each layer of the child and each ancestor's layer that it takes."""
    return [
        {
            "layer": hop.layer,
            "ancestor": name,
            "source_layer": layer,
            "attention_gain": hop.attention_gain,
            "mlp_gain": hop.mlp_gain,
            "gains": gains_in_brief(hop),
        }
        for hop in path
        for name, layer in hop.sources
    ]


def _scan(scan: ScanStory) -> dict[str, list[dict[str, Any]]]:
    """Return the maps of a scan, in the order in which they are drawn."""
    pairs = sorted(scan.splices, key=lambda one: (one.first, one.second, one.cut))
    data = {
        "scan_splices": [
            {**_rounded(asdict(one)), "pair": f"{one.first} \u2192 {one.second}"} for one in pairs
        ]
    }
    for number, model in enumerate(scan.models):
        blocks = [one for one in scan.repeats if one.model == model]
        plain = " plain" if any(one.damped for one in blocks) else ""
        data[f"scan_repeats_{number}"] = [
            {
                **_rounded(asdict(one)),
                "gains": "1/2 each" if one.damped else "1",
                "block": f"{one.length}{' damped' if one.damped else plain}",
            }
            for one in sorted(blocks, key=lambda one: (one.length, one.damped, one.start))
        ]
    return data


def _items(story: Story) -> dict[str, Any]:
    items, kinds = story.items, {model.name: model.kind for model in story.models}
    return {
        "models": [{"name": name, "kind": kinds[name]} for name in items.models],
        "higher_is_better": dict(items.higher_is_better),
        "changes": [asdict(change) for change in items.changes],
        "outcomes": [
            {
                "task": outcome.task,
                "item": outcome.item,
                "scores": [_round(score) for score in outcome.scores],
                **({} if outcome.question is None else _words(asdict(outcome.question))),
            }
            for outcome in items.outcomes
        ],
    }


def _words(question: Mapping[str, Any]) -> dict[str, Any]:
    return {key: question[key] for key in ("prompt", "target", "answers")}


def _leads(story: Story) -> list[dict[str, Any]]:
    """Return the leads over the best of each kind in all tasks, then those task by task."""
    overall = [(f"over all: {rival.name} ({rival.kind})", rival.lead) for rival in story.rivals]
    by_task = [
        (f"{rival.task}: {rival.name} ({rival.kind})", rival.lead) for rival in story.in_tasks
    ]
    return [_lead(against, lead) for against, lead in [*overall, *by_task]]


def _lead(against: str, lead: Lead) -> dict[str, Any]:
    return {
        "against": against,
        "difference": _round(lead.difference),
        "low": _round(lead.low),
        "high": _round(lead.high),
        "outcome": WORDS[lead.outcome],
        "p": p_text(lead.p_value, lead.num_tests).removeprefix("= "),
    }


def _shortlist(story: Story) -> list[dict[str, Any]]:
    """Return the fitness of each shortlisted candidate on each split, the champion drawn last."""
    course = sorted(shortlist_course(story), key=lambda one: one.name == story.champion.name)
    return [
        {
            "name": figure.name,
            "role": "champion" if figure.name == story.champion.name else "shortlisted",
            "split": figure.split,
            "fitness": _round(figure.fitness),
            "stderr": _round(figure.stderr),
            "low": _round(figure.fitness - (figure.stderr or 0.0)),
            "high": _round(figure.fitness + (figure.stderr or 0.0)),
        }
        for figure in course
    ]


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _round(v) if isinstance(v, float) else v for k, v in values.items()}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
