"""Libraries: were the scores computed with the tasks, settings and libraries of here and now?"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows.audit.check_verdict import Difference, Verdict
from flows.audit.recorded_outcomes import RecordedOutcome
from flows.audit.recorded_run import RecordedRun
from flows.pipeline.origins import RUNS
from stages.evaluate.score_environment import PACKAGES, in_words, packages
from stages.files import text_of
from stages.json_text import read_json
from stages.lineage.evaluation import Items

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[^\s;+]+)", re.MULTILINE)
_REQUIREMENTS = Path("requirements.lock")


def check(run: RecordedRun) -> Verdict:
    """Compare the versions that are recorded, and the keys of the evaluations."""
    recorded = recorded_packages(run)
    differences = [*_versions(recorded), *_other_rows(run, recorded)]
    others = [
        d for d in run.outcomes.all if d.outcome.evaluation is not None and _is_other(run, d)
    ]
    if others and not differences:
        now = "another key: tasks, their files, settings or the tokenizer are not those of the run"
        differences.append(
            Difference(f"{len(others)} evaluations, first {others[0].path}", "key", now)
        )
    return Verdict(
        "libraries",
        f"versions of {', '.join(PACKAGES)}; the keys of {len(run.outcomes.all)} evaluations, "
        "which hash them with tasks and settings",
        tuple(differences),
        ("the processor: no key and no tracked file holds it",),
    )


def recorded_packages(run: RecordedRun) -> Mapping[str, str]:
    """Return the versions that the run was computed with, as far as a file tells."""
    for row in run.rows:
        if row.environment:
            return row.environment
    for origin in recorded_origins():
        if origin:
            known: Mapping[str, str] = origin["packages"]
            return known
    try:
        pinned = {m["name"].replace("-", "_"): m["version"] for m in _pins()}
    except (OSError, ValueError):
        return {}
    return {name: pinned[name] for name in PACKAGES if name in pinned}


def recorded_origins() -> list[Mapping[str, Any]]:
    """Return with what the evaluations were computed, by the log of the last run here."""
    origins = []
    for stage in ("evolve", "select"):
        try:
            origins += [o for o in read_json(RUNS / f"{stage}-environment.json") if "machine" in o]
        except (OSError, ValueError, TypeError):
            continue
    return origins


def recorded_machines() -> list[str]:
    """Return the kinds of machine that the log of the last run names, each once."""
    return list(dict.fromkeys(in_words(origin["machine"]) for origin in recorded_origins()))


def _pins() -> Iterator[re.Match[str]]:
    return _PINNED.finditer(text_of(_REQUIREMENTS))


def _versions(recorded: Mapping[str, str]) -> Iterator[Difference]:
    now = packages()
    for name in PACKAGES:
        if name in recorded and recorded[name] != now[name]:
            yield Difference(f"library {name}", recorded[name], now[name])


def _other_rows(run: RecordedRun, first: Mapping[str, str]) -> Iterator[Difference]:
    """Yield the first row that names other versions than the first row of the lineage does."""
    if not any(row.environment for row in run.rows):
        return  # of the first version
    for row in (*run.rows, *(row for rows in run.half_rows.values() for row in rows)):
        if row.environment != first:
            names = sorted({*first, *row.environment})
            for name in names:
                one, other = row.environment.get(name), first.get(name)
                if one != other:
                    where = f"{row.name}, environment, {name}"
                    yield Difference(where, str(one), f"{other} in {run.rows[0].name}")
            return


def _is_other(run: RecordedRun, document: RecordedOutcome) -> bool:
    """Return whether an evaluation has another key than it would have now."""
    if document.recipe is None or document.split is None:
        return False
    whole = run.suite.items(document.split)
    if not document.pairs <= set(whole):
        return True
    items: Items | None = tuple(pair for pair in whole if pair in document.pairs)
    return run.key(document.recipe, document.split, items) != document.path.stem
