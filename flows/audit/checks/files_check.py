"""Files: are the outputs in the working folder, and in DVC's cache, those that dvc.lock names?"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from flows.audit.check_verdict import Difference, Verdict, differences_in
from flows.audit.recorded_outcomes import ITEMS
from flows.audit.recorded_run import RecordedRun
from flows.inspection.project_folder import SELECTION
from stages.errors import LineageError
from stages.files import text_of
from stages.json_text import json_in
from stages.lineage.rows import LINEAGE
from stages.store.candidate_store import Record
from stages.store.tracked_outputs import (
    LOCK_FILE,
    LockedStages,
    TrackedFile,
    compare_outputs,
    compare_stages,
)

# What may change without that anything which a run records changes.
_WITHOUT_EFFECT = {"params.yaml, evaluate, workers", "params.yaml, report, title"}


def check(run: RecordedRun) -> Verdict:
    """Compare outputs and params with dvc.lock, objects with their MD5, items with records."""
    del run
    differences = [*_documents(LINEAGE), *_documents(SELECTION)]
    try:
        outputs, stages = compare_outputs(), compare_stages()
    except LineageError as error:
        broken = Difference(str(LOCK_FILE), "what DVC tracks", str(error))
        return Verdict("files", "documents and their records", (*differences, broken))
    differences += [_difference(file) for file in outputs.differing]
    differences += [Difference(str(LOCK_FILE), "no hash", path) for path in stages.unlocked]
    changed = list(_params(stages))
    differences += [one for one in changed if one.where not in _WITHOUT_EFFECT]
    missing = [f"{path}: not in the working folder" for path in outputs.missing]
    missing += [
        f"{one.where}: {one.recorded}, now {one.now}: it moves no result"
        for one in changed
        if one.where in _WITHOUT_EFFECT
    ]
    if not outputs.num_objects:
        missing.append("DVC's cache: holds no object of these outputs")
    return Verdict(
        "files",
        f"{outputs.num_files} files of the outputs, {outputs.num_objects} objects of DVC's cache; "
        "the params of the stages",
        tuple(differences),
        tuple(missing),
    )


def _params(stages: LockedStages) -> Iterator[Difference]:
    """Yield each param that is not what a stage ran with, once for all stages."""
    done = set[str]()
    for stage, path, locked, now in stages.params:
        for difference in differences_in(path, locked, now):
            if difference.where not in done:
                done.add(difference.where)
                yield Difference(
                    difference.where, f"{difference.recorded} in dvc.lock, {stage}", difference.now
                )


def _difference(file: TrackedFile) -> Difference:
    if file.is_object:
        where = f"DVC's cache, object {file.md5[:2]}/{file.md5[2:]} of {file.path}"
        return Difference(where, f"MD5 {file.md5}", f"{file.now}: the object is damaged")
    return Difference(file.path, f"MD5 {file.md5} in dvc.lock", file.now)


def _documents(folder: Path) -> Iterator[Difference]:
    """Yield each document of item scores that is not the one which store.jsonl names."""
    path = folder / "store.jsonl"
    try:
        records = [Record.from_dict(json_in(line)) for line in text_of(path).splitlines()]
    except (OSError, ValueError) as error:
        yield Difference(str(path), "records of all evaluations", str(error))
        return
    named = {folder / ITEMS / f"{record.key}.json": record.md5 for record in records}
    files = {file: _md5(file) for file in sorted((folder / ITEMS).glob("*.json"))}
    for file in sorted({*named, *files}):
        recorded, now = named.get(file, f"not in {path.name}"), files.get(file, "no file")
        if recorded != now:
            yield Difference(str(file), f"MD5 {recorded}", now)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
