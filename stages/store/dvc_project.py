"""The DVC project around a folder: opened once a process, and asked what it tracks."""

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dvc.api
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.index.index import DataIndexError

from stages.errors import GermlineError, LineageError, words_of
from stages.json_text import json_in
from stages.store.entries import Entries
from stages.store.objects import Objects

INDEX = "candidates"  # a folder of DVC's cache that `dvc gc` leaves alone

_opened: dict[Path, Repo] = {}
_opening = threading.Lock()


def start_project(folder: Path, settings: Mapping[str, str], *, is_inside: bool) -> None:
    """Make ``folder`` a DVC project; ``settings`` are those of its config, as core.analytics.

    ``is_inside``: git's repository is that of a folder above.

    Raises:
        GermlineError: DVC cannot.
    """
    logging.getLogger("dvc.repo.init").setLevel(logging.WARNING)  # it says what it did
    try:
        with Repo.init(str(folder), subdir=is_inside) as repo, repo.config.edit("repo") as config:
            for name, value in settings.items():
                section, _, option = name.partition(".")
                config.setdefault(section, {})[option] = value
    except (DvcException, OSError) as error:
        raise GermlineError(
            f"{folder}: DVC cannot make a project of it: {words_of(error)}. Remove the "
            "cause and run the command again."
        ) from error


def opened(root: Path) -> Repo:
    """Return DVC's repository at ``root``."""
    with _opening:
        if root not in _opened:
            for bars in ("dvc.progress", "dvc_data.callbacks"):  # would break the caller's
                logging.getLogger(bars).setLevel(logging.CRITICAL)
            _opened[root] = Repo(str(root))
        return _opened[root]


def entries(root: Path, *names: str) -> Entries:
    """Return the small files in the folder ``names`` of the cache of the project at ``root``."""
    repo = opened(root)
    is_shared = repo.config["cache"].get("shared") == "group"
    return Entries(Path(repo.cache.local_cache_dir, *names), is_shared=is_shared)


def tracked_rows(path: Path, root: Path = Path()) -> list[dict[str, Any]]:
    """Return the rows of a file of records as DVC tracks it, even where a stage removed it.

    ``path`` is relative to the project. Empty where none is tracked or it cannot be fetched.

    Raises:
        LineageError: a line of it is damaged.
    """
    try:
        text = dvc.api.read(path.as_posix(), repo=str(root), encoding="utf-8")
    except (DvcException, DataIndexError, OSError):
        return []
    try:
        return [json_in(line) for line in text.splitlines()]
    except ValueError as error:
        raise LineageError(
            f"{path}: a line is not JSON ({error}). Restore it with `dvc checkout {path}`."
        ) from error


def drop_damaged(folder: Path, root: Path = Path()) -> int:
    """Remove the damaged ones of the cache's objects for the tracked ``folder``; return how many.

    DVC trusts every object that is read-only. Where the disk links files to the cache, damage to
    a file is damage to its object, and DVC would put that back instead of a good file.
    """
    repo = Repo(str(root.absolute()))
    tracked = repo.dvcfs
    try:
        files = [tracked.info(path) for path in tracked.find(folder.as_posix())]
    except (DvcException, DataIndexError, OSError):
        return 0
    objects = Objects(repo.cache.local)
    names = {info["dvc_info"]["md5"] for info in files if info.get("dvc_info", {}).get("md5")}
    here = [name for name in sorted(names) if objects.path(name).exists()]
    return sum(not objects.is_sound(name, trust_state=False) for name in here)
