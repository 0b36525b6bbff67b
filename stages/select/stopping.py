"""Stopping rules: when a search ends before its last generation, told from its lineage alone.

Each rule reads what the candidates scored and how many items they were asked, whatever came from
the cache. So a replay, on any machine, ends after the same generation. Seconds are left out: no
record holds a clock, and a search that they end could not be repeated.
"""

from collections.abc import Sequence

from stages.errors import Faults, ParamsError
from stages.lineage.records.ending import Ending
from stages.lineage.rows import MEAN, Row, finished
from stages.params.select_params import SelectParams
from stages.select.strategies.ask_schedule import is_steady, window_of
from stages.select.strategies.pareto import Point


def ending_of(
    rows: Sequence[Row], params: SelectParams, next_items: int, num_out: int = 0
) -> Ending | None:
    """Return why the search ends with the generation that ``rows`` end with; None: it goes on.

    ``next_items`` is the most that the next generation asks for. A budget is never exceeded: a
    generation that may not fit is not begun. After the last generation no rule is asked.
    With ``num_out`` candidates out, of a steady search, that generation is not whole: budgets
    count it in full, patience counts the generations before it.
    """
    generation = max(row.generation for row in rows)
    if generation + 1 >= params.generations:
        return None
    stop = params.stop
    if stop.target is not None:
        top = max(finished(rows), key=lambda row: row.fitness or 0.0, default=None)
        if top is not None and top.fitness is not None and top.fitness >= stop.target:
            reason = f"{top.name} has fitness {top.fitness:.4f}, the target is {stop.target:g}"
            return Ending(generation, "target", reason)
    if stop.patience is not None:
        latest = _last_gain(rows, params)
        count = generation - (num_out > 0) - latest
        if count >= stop.patience:
            reason = f"no gain in {count} generations, the last was in generation {latest}"
            return Ending(generation, "patience", reason)
    num_asked = len(rows) + num_out
    if stop.candidates is not None and num_asked + params.population > stop.candidates:
        reason = f"{num_asked} candidates, and {params.population} more are over {stop.candidates}"
        return Ending(generation, "candidates", reason)
    num_items = sum(row.num_items for row in rows) + num_out * next_items // params.population
    if stop.items is not None and num_items + next_items > stop.items:
        reason = f"{num_items} items, and up to {next_items} more are over {stop.items}"
        return Ending(generation, "items", reason)
    return None


def check_stop(params: SelectParams, num_scanned: int = 0) -> None:
    """Check that each rule can end the search, and not before it has begun.

    A scan of ``num_scanned`` candidates comes before the first generation.

    Raises:
        ParamsError: a rule can never fire, fires at once, or does not go with races.
    """
    faults, stop = Faults(), params.stop
    with faults.at("params.yaml: select.stop"):
        first = num_scanned + params.population
        total = num_scanned + params.population * params.generations
        if stop.candidates is not None:
            given = f"candidates is {stop.candidates}"
            _check_budget(
                faults, given, stop.candidates, first, total, "candidates", scans=num_scanned > 0
            )
        most = params.generations - (2 if is_steady(params) and window_of(params) > 1 else 1)
        if stop.patience is not None and stop.patience >= most:
            advice = f"Give fewer than {most}, raise" if most > 1 else "Raise"
            faults.add(
                f"patience is {stop.patience}, and the search has {params.generations} "
                f"generation{'' if params.generations == 1 else 's'}: it could never end early. "
                f"{advice} select.generations, or leave it out."
            )
        if stop.patience is not None and params.racing.rungs:
            faults.add(
                "patience compares generations, and with racing.rungs each of them answers items "
                "of its own. Leave one of the two out; budgets go with races."
            )
    faults.raise_as(ParamsError)


def check_item_budget(params: SelectParams, first: int, later: int, scan: int = 0) -> None:
    """Check ``stop.items`` against the most items of the first and of each later generation.

    ``scan`` is the most that a scan before them asks for.

    Raises:
        ParamsError: the budget can never end the search, or ends it before it has begun.
    """
    if params.stop.items is None:
        return
    faults = Faults()
    with faults.at("params.yaml: select.stop"):
        total = scan + first + later * (params.generations - 1)
        given = f"items is {params.stop.items}"
        _check_budget(
            faults, given, params.stop.items, scan + first, total, "items", scans=scan > 0
        )
    faults.raise_as(ParamsError)


def check_target(params: SelectParams) -> None:
    """Check ``stop.target`` where every score lies within [0, 1].

    Raises:
        ParamsError: no fitness can reach it, or each one does.
    """
    target = params.stop.target
    if target is not None and not 0.0 < target <= 1.0:
        effect = "no fitness reaches it" if target > 0 else "every fitness reaches it"
        raise ParamsError(
            f"params.yaml: select.stop: target is {target:g}, and the scores of these tasks run "
            f"from 0 to 1: {effect}. Give a number above 0, up to 1."
        )


def _check_budget(
    faults: Faults, given: str, budget: int, first: int, total: int, unit: str, *, scans: bool
) -> None:
    begin, whole = "the first generation takes", "all generations together take"
    if scans:
        begin, whole = (
            "the scan and the first generation take",
            "the scan and all generations take",
        )
    if budget < first:
        faults.add(
            f"{given}, and {begin} {first} {unit}: the search would end before "
            f"it began. Give {first} or more."
        )
    elif budget >= total:
        faults.add(
            f"{given}, and {whole} at most {total} {unit}: it could never "
            f"end the search. Give fewer than {total}, raise select.generations, or leave it out."
        )


def _last_gain(rows: Sequence[Row], params: SelectParams) -> int:
    """Return the last generation with a candidate that nobody before it equalled or beat."""
    latest = 0
    best: list[Point] = []
    for row in sorted(rows, key=lambda row: row.generation):
        if row.fitness is None or row.name == MEAN:
            continue
        point = row.objectives if params.objectives == "separate" else (row.fitness,)
        if not any(_is_at_least(other, point) for other in best):
            best = [other for other in best if not _is_at_least(point, other)] + [point]
            latest = row.generation
    return latest


def _is_at_least(first: Point, second: Point) -> bool:
    return all(a >= b for a, b in zip(first, second, strict=True))
