"""What DVC tracks, against the bytes that are there: nothing is believed, written or removed.

DVC itself trusts its record of hashes by a file's time of writing, and every read-only object of
its cache; here each byte is read.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.tree import Tree

from stages.errors import LineageError, words_of
from stages.files import text_of
from stages.json_text import read_json
from stages.store.dvc_project import opened
from stages.yaml_text import document_in

LOCK_FILE = Path("dvc.lock")
_DIR = ".dir"


@dataclass(frozen=True, slots=True)
class TrackedFile:
    """A file that differs from what DVC tracks, or a damaged object of its cache.

    ``path`` is the file's in the working folder; ``md5`` what is tracked, ``now`` what is there.
    """

    path: str
    md5: str
    now: str
    is_object: bool = False


@dataclass(frozen=True, slots=True)
class TrackedOutputs:
    """The outs that dvc.lock lists and the working folder has, read and compared.

    ``missing`` outs are not in the working folder; ``num_objects`` of the cache are there.
    """

    num_files: int
    num_objects: int
    missing: tuple[str, ...]
    differing: tuple[TrackedFile, ...]


def compare_outputs(root: Path = Path()) -> TrackedOutputs:
    """Compare every out of dvc.lock, and every object that the cache has of it, with its MD5.

    Raises:
        LineageError: there is no dvc.lock, or it is damaged.
    """
    num_files, objects, missing, differing = 0, set[str](), [], []
    cache = _cache(root)
    for path, md5 in _outs(root).items():
        target, listing = root / path, _listing(cache, md5)
        names = _objects(path, md5, listing)
        for name, file in names.items():
            damage = _damage(cache, file, name)
            objects.update([name] if damage is not None else [])
            differing += [damage] if damage is not None and damage.now != damage.md5 else []
        if not target.exists():
            missing.append(path)
            continue
        files = _files(target)
        num_files += len(files)
        differing += _differing(path, md5, listing, files)
    return TrackedOutputs(num_files, len(objects), tuple(missing), tuple(differing))


@dataclass(frozen=True, slots=True)
class LockedStages:
    """What dvc.yaml asks for, against dvc.lock: ``unlocked`` outs are not in it.

    ``params`` are those of each stage: the stage, the file, the values in dvc.lock, those of now.
    """

    unlocked: tuple[str, ...]
    params: tuple[tuple[str, str, Any, Any], ...]


def compare_stages(root: Path = Path()) -> LockedStages:
    """Compare the outs of dvc.yaml, and the params of its stages, with dvc.lock.

    Raises:
        LineageError: dvc.yaml, dvc.lock or a file of params is damaged.
    """
    if not (root / ".dvc").is_dir():
        return LockedStages((), ())
    unlocked, params = [], []
    for name in (Path("dvc.yaml"), LOCK_FILE):
        _check_text(root / name)
    try:
        # Not the repository that is kept open: its index is that of before.
        for stage in Repo(str(root.absolute())).index.stages:
            unlocked += [str(out) for out in stage.outs if not out.hash_info]
            for given in stage.params:
                locked = given.hash_info.value if given.hash_info else {}
                params.append((stage.addressing, str(given), locked, given.read_params()))
    except Exception as error:  # of a lock of other types DVC fails in many ways
        raise LineageError(
            f"dvc.yaml and {LOCK_FILE}: {words_of(error)}. Restore them with git."
        ) from error
    return LockedStages(tuple(unlocked), tuple(params))


def _check_text(path: Path) -> None:
    """Check that a file of DVC is YAML; DVC's own reader does not come to an end of some."""
    try:
        document_in(text_of(path))
    except FileNotFoundError:
        return
    except ValueError as error:
        raise LineageError(f"{path.name}: {error}. Take it from git again.") from error


def _outs(root: Path) -> dict[str, str]:
    """Return the MD5 of each out by its path."""
    try:
        document = document_in(text_of(root / LOCK_FILE))
        data: Any = document.plain() if document is not None else {}
        stages = data["stages"].values()
        outs = [_out(out) for stage in stages for out in stage.get("outs", ())]
        return dict(outs)
    except FileNotFoundError as error:
        raise LineageError(
            f"{LOCK_FILE}: no such file, so nothing tells what DVC tracks. Take it "
            "from git again, or run `dvc repro`."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LineageError(f"{LOCK_FILE}: damaged at {error}. Take it from git again.") from error


def _out(data: Mapping[str, Any]) -> tuple[str, str]:
    """Return the path and the MD5 of an out.

    Raises:
        ValueError: they are not texts, or the path leads out of the project.
    """
    path, md5 = data["path"], data["md5"]
    if not isinstance(path, str) or not isinstance(md5, str):
        raise ValueError(f"an out of path {path!r:.60} and md5 {md5!r:.60}")  # noqa: TRY004
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError(f"{path:.60}, which leads out of the project")
    return path, md5


def _cache(root: Path) -> Any | None:
    """Return DVC's local cache; None where this is not a DVC project."""
    if not (root / ".dvc").is_dir():
        return None
    try:
        return opened(root.absolute()).cache.local
    except DvcException:
        return None


def _listing(cache: Any | None, md5: str) -> dict[str, str] | None:
    """Return the MD5 of each file of a folder by its path, as the cache has it."""
    if cache is None or not md5.endswith(_DIR):
        return None
    path = Path(cache.oid_to_path(md5))
    try:
        if hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() + _DIR != md5:
            return None
        return {entry["relpath"]: entry["md5"] for entry in read_json(path)}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _objects(path: str, md5: str, listing: Mapping[str, str] | None) -> dict[str, str]:
    """Return the path of each object of an out, by the object's name."""
    members = {name: f"{path}/{file}" for file, name in (listing or {}).items()}
    return {md5: path, **members}


def _damage(cache: Any | None, path: str, name: str) -> TrackedFile | None:
    """Return an object with the MD5 that it has; None where the cache has no such object."""
    location = Path(cache.oid_to_path(name)) if cache is not None else None
    if location is None or not location.is_file():
        return None
    suffix = _DIR if name.endswith(_DIR) else ""
    now = hashlib.md5(location.read_bytes(), usedforsecurity=False).hexdigest() + suffix
    return TrackedFile(path, name, now, is_object=True)


def _files(target: Path) -> dict[str, str]:
    """Return the MD5 of each file of an out, by its path in it; an out that is a file has one."""
    if target.is_file():
        return {"": _md5(target)}
    paths = sorted(path for path in target.rglob("*") if path.is_file())
    return {path.relative_to(target).as_posix(): _md5(path) for path in paths}


def _differing(
    path: str, md5: str, listing: Mapping[str, str] | None, files: Mapping[str, str]
) -> Sequence[TrackedFile]:
    if not md5.endswith(_DIR):
        now = files.get("", "a folder")
        return [TrackedFile(path, md5, now)] if now != md5 else []
    if listing is not None:
        return list(_members(path, listing, files))
    tree = Tree.from_list([{"relpath": p, "md5": m} for p, m in files.items()], "md5")
    tree.digest()
    now = tree.hash_info.value
    return [TrackedFile(path, md5, now)] if now != md5 else []


def _members(
    path: str, listing: Mapping[str, str], files: Mapping[str, str]
) -> Iterator[TrackedFile]:
    for name in sorted({*listing, *files}):
        tracked, now = listing.get(name, "not tracked"), files.get(name, "no file")
        if tracked != now:
            yield TrackedFile(f"{path}/{name}", tracked, now)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
