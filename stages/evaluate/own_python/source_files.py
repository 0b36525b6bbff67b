"""Find the files that a task's own Python consists of, for the suite's key.

A module's imports are known once it is imported; files that it opens or imports later are not.
So everything in the folders of its modules counts, but for task files, data beyond 1 MB and notes.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from stages.hashing import file_hash

_MOST_BYTES = 2**20
# Task files are in the key as lm-eval reads them; the other formats decide nothing.
_IGNORED = (".yaml", ".yml", ".md", ".pyc", ".log")


def sources_of(modules: Iterable[ModuleType]) -> dict[str, str]:
    """Return the hashes of the files by name, relative to the project where they lie in it.

    Modules that come with lm-eval are left out: its version is part of the key.
    """
    paths = {path.resolve() for module in modules for path in _file_of(module)}
    folders = {path.parent for path in paths}
    project = Path.cwd().resolve()
    for folder in folders:
        # A module in the project's folder itself: all models and results lie below that.
        if not project.is_relative_to(folder):
            paths.update(path.resolve() for path in _files_below(folder))
    return {_name(path, project): file_hash(path) for path in sorted(paths)}


def _file_of(module: ModuleType) -> Iterator[Path]:
    import lm_eval

    file = getattr(module, "__file__", None)
    if file is not None and not Path(file).is_relative_to(Path(lm_eval.__file__).parent):
        yield Path(file)


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith((".", "__pycache__"))]
        for name in files:
            path = Path(parent, name)
            is_hidden = name.startswith(".") or path.suffix in _IGNORED
            if not is_hidden and path.is_file() and path.stat().st_size <= _MOST_BYTES:
                yield path


def _name(path: Path, project: Path) -> str:
    return str(path.relative_to(project)) if path.is_relative_to(project) else path.name
