"""Merge methods of users and packages: one file each, identified by name and content.

A recipe names such a method ``name@hash``, with the hash of its file. So an edited file is another
method: its candidates have other ids, and no result of the old one is reused.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from stages.errors import ParamsError, RecipeError, at, kind_and_words
from stages.files import inside_project
from stages.hashing import nearest
from stages.merge.arithmetic.method import Method
from stages.merge.methods import METHODS

GROUP = "germline.methods"  # entry points of installed packages
ATTRIBUTE = "METHOD"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LOADED: dict[str, Method] = {}  # of this process, by the names in recipes


@dataclass(frozen=True, slots=True)
class _Plugin:
    """A file that defines a method; ``own`` are the modules that its hash would not cover."""

    where: str
    path: Path
    own: frozenset[str]
    attribute: str = ATTRIBUTE


def load(paths: Sequence[str], files: Sequence[Path] = ()) -> dict[str, Method]:
    """Return the plug-in methods by their names: those of files, and of installed packages.

    ``paths`` are files inside the project, relative to params.yaml; ``files`` are of a command
    line, and may lie anywhere. From now on this process knows the methods by what their specs
    are named: ``name@hash``.

    Raises:
        ParamsError: a file is missing, outside the project, cannot be imported, defines no
            method, imports what its hash does not cover, or has the name of another method.
    """
    methods: dict[str, Method] = {}
    given = (*map(_in_project, paths), *map(_of_command, files))
    for plugin in (*given, *map(_installed, _entry_points())):
        name, method = _method(plugin)
        if name in METHODS or name in methods:
            kind = "of germline" if name in METHODS else "of another plug-in"
            raise ParamsError(
                f"{plugin.where}: its method is called {name!r}, which is the name of a method "
                f"{kind}. Give it another name in its spec."
            )
        methods[name] = _LOADED.setdefault(method.spec.name, method)
    return methods


def method_of(name: str) -> Method:
    """Return the method that a recipe names: one of germline's, or a plug-in that is loaded.

    Raises:
        RecipeError: there is none.
    """
    method = METHODS.get(name) or _LOADED.get(name)
    if method is None and "@" in name:
        known = ", ".join(sorted(_LOADED)) or "none"
        raise RecipeError(
            f"the plug-in method {name!r} is not loaded. Loaded are: {known}. List its "
            "file under merge.plugins in params.yaml, or give it by --plugin; if it was changed, "
            "restore it."
        )
    if method is None:
        legal = sorted([*METHODS, *_LOADED])
        raise RecipeError(
            f"unknown method {name!r}. Legal are {', '.join(legal)}.{nearest(name, legal)}"
        )
    return method


def _entry_points() -> list[EntryPoint]:
    return _offered(tuple((folder, _changed_at(folder)) for folder in sys.path))


@lru_cache(maxsize=1)
def _offered(places: tuple[tuple[str, int], ...]) -> list[EntryPoint]:  # noqa: ARG001  the key
    """Return what packages offer; a run asks ten times, and to look takes 7 ms."""
    return sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def _changed_at(folder: str) -> int:
    """Return when a package was last put into a folder or taken out of it; 0 where none can be."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _in_project(given: str) -> _Plugin:
    where = f"merge.plugins: {given!r}"
    path = inside_project(given)
    if path is None:
        raise ParamsError(
            f"{where} leads out of the project folder. Give a file inside it, relative to "
            "params.yaml; copy the method there."
        )
    if path.suffix != ".py" or not path.is_file():
        raise ParamsError(
            f"{where} is not a Python file that is there. Give the path of one, relative to "
            "params.yaml."
        )
    return _Plugin(where, path, _near(Path.cwd(), path.absolute().parent))


def _of_command(path: Path) -> _Plugin:
    where = f"--plugin {path}"
    if path.suffix != ".py" or not path.is_file():
        raise ParamsError(f"{where}: not a Python file that is there. Give the path of one.")
    return _Plugin(where, path, _near(Path.cwd(), path.resolve().parent))


def _near(*folders: Path) -> frozenset[str]:
    """Return the modules that a plug-in could import from folders, which its hash leaves out."""
    near = {name for folder in folders for name in _modules_in(folder)}
    return frozenset(near - {"germline"} - sys.stdlib_module_names)


def _modules_in(folder: Path) -> Iterator[str]:
    """Give the names under which what lies in a folder could be imported."""
    for path in folder.iterdir():
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py"))):
            yield path.stem


def _installed(entry: EntryPoint) -> _Plugin:
    package = entry.dist.name if entry.dist else entry.module
    where = f"installed package {package}, entry point {entry.name}"
    try:
        spec = find_spec(entry.module)
    except Exception as error:
        with at(where):
            raise _not_imported(error) from error
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ParamsError(
            f"{where}: {entry.module} is not a module with a Python file. Fix or remove the "
            "package."
        )
    own = frozenset({entry.module.partition(".")[0]})
    return _Plugin(where, Path(spec.origin), own, entry.attr or ATTRIBUTE)


def _method(plugin: _Plugin) -> tuple[str, Method]:
    """Return a plug-in's own name, and its method under the name that recipes hold."""
    source = plugin.path.read_bytes()
    digest = hashlib.sha256(source).hexdigest()[:12]
    method = getattr(_module(plugin, source, digest), plugin.attribute, None)
    if not isinstance(method, Method):
        raise ParamsError(
            f"{plugin.where}: defines no {plugin.attribute} that is a Method. End the file with "
            f"{plugin.attribute} = Method(SPEC, prepare), from germline."
        )
    name = method.spec.name
    if not _NAME.fullmatch(name):
        raise ParamsError(
            f"{plugin.where}: its method is called {name!r}. Legal are small letters, digits and "
            "underscores, a letter first; change the name in its spec."
        )
    return name, replace(method, spec=replace(method.spec, name=f"{name}@{digest}"))


def _module(plugin: _Plugin, source: bytes, digest: str) -> ModuleType:
    """Return the module of ``source``: of the very bytes that were hashed, from no cache."""
    module = ModuleType(f"germline_plugin_{digest}")
    module.__file__ = str(plugin.path)
    sys.modules[module.__name__] = module  # where dataclasses look up their own module
    try:
        uncovered = sorted(plugin.own.intersection(_imports(ast.parse(source))))
        if not uncovered:
            exec(compile(source, str(plugin.path), "exec"), module.__dict__)  # noqa: S102
    except Exception as error:
        with at(plugin.where):
            raise _not_imported(error) from error
    if uncovered:
        raise ParamsError(
            f"{plugin.where}: imports {uncovered[0]}, which its hash does not cover. A plug-in is "
            "one file that imports germline and installed packages; put all of it there."
        )
    return module


def _imports(tree: ast.Module) -> Iterator[str]:
    """Give the top-level names of all modules that a source imports; of relative ones, theirs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _not_imported(error: Exception) -> ParamsError:
    return ParamsError(f"cannot be imported: {kind_and_words(error)}. Fix it.")
