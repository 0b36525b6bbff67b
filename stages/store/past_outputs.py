"""The outputs of another git revision or DVC experiment, from DVC's cache or its remote."""

from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError, SCMError, resolve_rev
from dvc_data.index.index import DataIndexError
from scmrepo.exceptions import SCMError as GitError

from stages.errors import LineageError


def write_past(revision: str, paths: Sequence[str], target: Path, root: Path = Path()) -> str:
    """Write files and folders of a revision below ``target``; return its whole hash.

    A path that the revision does not have is left out. Nothing in the project changes.

    Raises:
        LineageError: there is no such revision, or neither cache nor remote have its outputs.
    """
    try:
        repo = Repo(str(root.absolute()))
        commit = str(resolve_rev(repo.scm, revision))
    except (DvcException, SCMError, RevError, GitError) as error:
        raise LineageError(
            f"neither a folder, nor a git revision or DVC experiment of {root} "
            f"({error}). `dvc exp show` lists experiments, `git log` revisions."
        ) from error
    try:
        with repo.switch(commit):
            files = repo.dvcfs
            for path in (path for path in paths if files.exists(path)):
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                files.get(path, str(target / path), recursive=files.isdir(path))
    except (DvcException, DataIndexError, OSError) as error:
        raise LineageError(
            f"its outputs are not in DVC's cache ({error}). Fetch them with "
            f"`dvc fetch --all-commits`, or run it again."
        ) from error
    return commit
