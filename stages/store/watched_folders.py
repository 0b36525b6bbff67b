"""Has DVC watch folders that params.yaml names, by content: dvc.yaml cannot know them.

`dvc.yaml` in data/, which this module writes, has one small stage for each name. Its deps are the
folders, its out is a record of their hashes in data/sources, which the download stage depends on.
So a changed folder reruns the download, a missing one is DVC's own error, and an unchanged one
costs DVC a look at its files' times. The stages are entered in the lock file as they stand:
DVC hashes the deps of the download when it has run, so that all of it is up to date then.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from dvc.repo import Repo

from stages.files import write_whole
from stages.hashing import canonical_json
from stages.store.faults import store_faults

PIPELINE = Path("data/dvc.yaml")
LOCK = Path("data/dvc.lock")
RECORDS = Path("data/sources")
_HEAD = """\
# Written by `germline download`: the folders of params.yaml that DVC is to watch. Keep it in git
# with dvc.lock and sources/ next to it. Where a folder is gone on purpose and params.yaml names it
# no more, run `germline download` once; then `dvc repro` goes on.
"""


def watch(folders: Mapping[str, Sequence[str]]) -> None:
    """Have DVC watch the ``folders`` of each name, and nothing else.

    Paths are relative to the project, or absolute. Outside of a DVC project nothing is done.

    Raises:
        LineageError: a file cannot be written, or DVC cannot read a folder.
    """
    if not Path(".dvc").is_dir():
        return
    with store_faults("cannot have DVC watch the folders of params.yaml"):
        RECORDS.mkdir(parents=True, exist_ok=True)
        wanted = {_record(name) for name in folders}
        for path in {*RECORDS.glob("*.json")} - wanted:
            path.unlink()
        if not folders:
            PIPELINE.unlink(missing_ok=True)
            LOCK.unlink(missing_ok=True)
            return
        stages = {name: _stage(name, paths) for name, paths in sorted(folders.items())}
        text = _HEAD + yaml.safe_dump({"stages": stages}, sort_keys=False)
        if not PIPELINE.is_file() or PIPELINE.read_text(encoding="utf-8") != text:
            LOCK.unlink(missing_ok=True)
            write_whole(PIPELINE, text)
        repo = Repo()
        for name in stages:
            record(name)
            stage = repo.stage.load_one(str(PIPELINE), name)
            stage.save(run_cache=False)
            stage.dump(update_pipeline=False)


def record(name: str) -> None:
    """Write the hashes of the folders that the stage ``name`` watches.

    Raises:
        LineageError: a folder cannot be read.
    """
    with store_faults("cannot be read"):
        deps = Repo().stage.load_one(str(PIPELINE), name).deps
        for dep in deps:
            dep.save()
        hashes = {dep.def_path: dep.hash_info.value for dep in deps}
        write_whole(_record(name), canonical_json(hashes) + "\n")


def _record(name: str) -> Path:
    return RECORDS / f"{name}.json"


def _stage(name: str, paths: Sequence[str]) -> dict[str, object]:
    return {
        "desc": f"Watch the folders of {name} in params.yaml.",
        "wdir": "..",
        "cmd": f"python -m germline source {name}",
        "deps": list(paths),
        "outs": [{_record(name).as_posix(): {"cache": False}}],
    }
