"""Report: are the tables, the figures and the page those that the selection gives?"""

import csv
import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from flows.audit.check_verdict import Difference, Verdict, differences_in, shown
from flows.audit.recorded_run import RecordedRun
from stages.params.report_params import ReportParams
from stages.report.stage import LINEAGE, REPORTS, SELECTION, output_files
from stages.report.stage import run as write_report
from stages.scratch_folder import scratch_folder
from stages.store.tracked_outputs import compare_stages

_MOST = 3  # differences of one file that are named


def check(run: RecordedRun) -> Verdict:
    """Write the report again and compare it, figure by figure where a file has figures."""
    differences = []
    with scratch_folder() as scratch:
        write_report(
            LINEAGE,
            SELECTION,
            _with_recorded_title(run.params.report),
            scratch,
            select=run.params.select,
        )
        names = output_files(scratch)
        for name in sorted({*names, *output_files(REPORTS)}):
            differences += list(islice(_file(REPORTS / name, scratch / name), _MOST))
    return Verdict("report", f"{len(names)} files, written again", tuple(differences))


def _with_recorded_title(params: ReportParams) -> ReportParams:
    """Return the params with the title that the report was written with: it is not a result."""
    for stage, _, locked, _ in compare_stages().params:
        title = locked.get("report", {}).get("title") if stage == "report" else None
        if isinstance(title, str):
            return params.model_copy(update={"title": title})
    return params


def _file(recorded: Path, now: Path) -> Iterator[Difference]:
    if not recorded.is_file():
        yield Difference(str(recorded), "no file", "a file of the report")
        return
    if not now.is_file():
        yield Difference(str(recorded), "a file", "no file of the report")
        return
    one, other = recorded.read_bytes(), now.read_bytes()
    if one == other:
        return
    try:
        differences = list(_figures(recorded, one.decode(), other.decode()))
    except ValueError:  # not text, or damaged
        differences = []
    yield from differences or [_byte(recorded, one, other)]


def _figures(path: Path, one: str, other: str) -> Iterator[Difference]:
    if path.suffix == ".json":
        yield from differences_in(str(path), json.loads(one), json.loads(other))
    elif path.suffix == ".csv":
        tables = [list(csv.DictReader(io.StringIO(text))) for text in (one, other)]
        yield from differences_in(str(path), *tables)
    else:
        lines = enumerate(zip(one.splitlines(), other.splitlines(), strict=False), start=1)
        for number, (first, second) in lines:
            if first != second:
                yield Difference(f"{path}, line {number}", *_around(first, second))


def _around(one: str, other: str) -> tuple[str, str]:
    """Return two lines from shortly before they differ: a page may be one line."""
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(0, same - 20)
    return shown(one[start:]), shown(other[start:])


def _byte(path: Path, one: bytes, other: bytes) -> Difference:
    """Return the first byte that differs."""
    pairs = enumerate(zip(one, other, strict=False))
    first = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    return Difference(f"{path}, byte {first}", f"{len(one)} bytes", f"{len(other)} bytes")
