"""List the tasks that come with lm-eval, without parsing its fourteen thousand files.

lm-eval's own index parses them all, which takes 12 s and more. Names are read here from the lines
that give them: 0.3 s.
"""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_LINE = re.compile(
    r"""^['"]?(task|group|tag)['"]?:[ \t]*(['"]?)([^\s'"#\[{&*!|>][^'"#\n]*?)\2"""
    r"""[ \t]*(?:#.*)?\r?$""",
    re.MULTILINE,
)
_LISTED = re.compile(
    r"""^['"]?tag['"]?:[ \t]*(?:\[(.*)\]|\r?\n((?:[ \t]*-[ \t]+.*\r?\n?)+))""", re.MULTILINE
)
_INCLUDE = re.compile(r"^include:[ \t]*([^\s#\[][^#\n]*?)[ \t]*(?:#.*)?\r?$", re.MULTILINE)


@lru_cache(1)
def names() -> dict[str, tuple[str, tuple[Path, ...]]]:
    """Return, by name, its kind (task, group or tag) and the files that define it, sorted."""
    import lm_eval.tasks

    by_name: dict[str, dict[str, list[Path]]] = {}
    for folder, folders, files in os.walk(Path(lm_eval.tasks.__file__).parent):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for file in sorted(files):
            path = Path(folder, file)
            if path.suffix not in {".yaml", ""}:
                continue
            for kind, name in _meant(path.read_text(encoding="utf-8", errors="replace")):
                # A file without a suffix is only included by tasks, which then have its tag.
                if path.suffix or kind == "tag":
                    by_name.setdefault(name, {}).setdefault(kind, []).append(path)
    return {name: _meaning(by_kind) for name, by_kind in by_name.items()}


def task_file(name: str) -> Path | None:
    """Return the file of the task ``name``; None where there is none, or it is a group."""
    kind, files = names().get(name, ("", ()))
    return files[0] if kind == "task" else None


def group_file(name: str) -> Path | None:
    """Return the file of the group ``name``; None where it is not a group."""
    kind, files = names().get(name, ("", ()))
    return files[0] if kind == "group" else None


def tagged(name: str) -> list[str]:
    """Return the tasks that have the tag ``name``, by their file or by one that it includes."""
    from lm_eval.tasks._yaml_loader import load_yaml

    kind, files = names().get(name, ("", ()))
    if kind != "tag":
        return []
    own = {
        path: task for task, (what, paths) in names().items() if what == "task" for path in paths
    }
    having = []
    for path, task in own.items():
        if not _all_included(path) & {*files}:
            continue
        tags = load_yaml(path, resolve_func=False).get("tag") or []
        if name in ([tags] if isinstance(tags, str) else tags):
            having.append(task)
    return sorted(having)


def _all_included(file: Path) -> set[Path]:
    """Return ``file`` and what it includes, at any depth."""
    known: set[Path] = set()
    waiting = {file}
    while waiting:
        known |= waiting
        waiting = {inner for path in waiting for inner in _included(path)} - known
    return known


@lru_cache(None)
def _included(file: Path) -> frozenset[Path]:
    """Return the files that a task's file includes."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # lm-eval says so when it builds a task that needs it
        return frozenset()
    paths = (file.parent / name.strip(" '\"") for name in _INCLUDE.findall(text))
    return frozenset(Path(os.path.normpath(path)) for path in paths)


def task_names() -> list[str]:
    """Return the names of all tasks, sorted."""
    return sorted(name for name, (kind, _) in names().items() if kind == "task")


def _meant(text: str) -> Iterator[tuple[str, str]]:
    for kind, _, name in _LINE.findall(text):
        yield kind, name
    for inline, lines in _LISTED.findall(text):
        for name in re.split(r",|\n", inline or lines):
            bare = name.partition("#")[0].strip().removeprefix("-").strip(" \t'\"")
            if bare:
                yield "tag", bare


def _meaning(by_kind: dict[str, list[Path]]) -> tuple[str, tuple[Path, ...]]:
    kind = next(k for k in ("task", "group", "tag") if k in by_kind)
    return kind, tuple(sorted(by_kind[kind], key=Path.as_posix))
