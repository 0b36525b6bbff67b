"""A model folder to a repository of the hub: what differs is sent, in one commit."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    get_token,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
from yaml import YAMLError

from stages.download.sources.hub_answers import OddAnswerError, endpoint, understood
from stages.errors import CheckpointError, words_of
from stages.files import leaving_link
from stages.hashing import file_hash, git_hash
from stages.licences import CARD

_WEIGHTS = (".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json")
_TOKEN = "Set HF_TOKEN to a token that may write there, or run `hf auth login`."  # noqa: S105
_FIX_CARD = "Fix its metadata, which stands between two lines of ---; nothing was committed."


@dataclass(frozen=True, slots=True)
class HubUpload:
    """What a push would do: files to send, with their sizes, and weights to remove there.

    ``is_new``: the repository is made, private unless ``is_public``. ``num_equal`` files are there
    already, byte for byte.
    """

    folder: Path
    repo: str
    is_new: bool
    is_public: bool
    sends: Mapping[str, int]
    removes: tuple[str, ...]
    num_equal: int

    @property
    def url(self) -> str:
        """The page of the repository."""
        return f"{endpoint()}/{self.repo}"

    @property
    def is_empty(self) -> bool:
        """True where the hub has all of it already."""
        return not (self.is_new or self.sends or self.removes)


def check_repo_name(repo: str) -> None:
    """Refuse what is not a name that a repository of the hub can have.

    Raises:
        CheckpointError: it is not.
    """
    fault = CheckpointError(
        f"{repo}: not a name of a repository. Write ORG/NAME, in letters, digits, '-', '_' and "
        "'.': at most 96, '-' and '.' neither twice nor at an end."
    )
    if repo.count("/") != 1:
        raise fault
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise fault from error


def upload_of(folder: Path, repo: str, *, is_public: bool) -> HubUpload:
    """Return what is to be done so that ``repo`` holds ``folder``; nothing is sent yet.

    Weight files of the repository that the folder does not have are removed with the push: a
    library would load them instead.

    Raises:
        CheckpointError: the folder holds no model, or the hub refuses; or the repository is
            public, and that was not asked for.
    """
    files = _files(folder)
    _check_card(files)
    with _answered(repo):
        info = _remote(repo)
    if info is None:
        return HubUpload(folder, repo, True, is_public, _sizes(files), (), 0)
    if not info.private and not is_public:
        raise CheckpointError(
            f"{repo}: is there and public. Give --public to publish the model, or another name."
        )
    there = {s.rfilename: (s.lfs.sha256 if s.lfs else s.blob_id) for s in info.siblings or ()}
    new = {name: path for name, path in files.items() if not _is_equal(path, there.get(name))}
    stale = [name for name in sorted({*there} - {*files}) if name.endswith(_WEIGHTS)]
    equal = len(files) - len(new)
    return HubUpload(folder, repo, False, not info.private, _sizes(new), tuple(stale), equal)


def push(upload: HubUpload) -> str | None:
    """Carry out ``upload`` in one commit; return it, or None where the hub has all of it already.

    Raises:
        CheckpointError: the hub refuses or does not answer.
    """
    if upload.is_empty:
        return None
    api = _api()
    with _answered(upload.repo):
        if upload.is_new:
            api.create_repo(upload.repo, private=not upload.is_public)
        sent = [CommitOperationAdd(name, str(upload.folder / name)) for name in upload.sends]
        removed = [CommitOperationDelete(name) for name in upload.removes]
        message = "Model merged by germline"
        with _stored(upload.repo):
            commit = api.create_commit(upload.repo, [*sent, *removed], commit_message=message)
    return str(commit.oid)


@contextmanager
def _stored(repo: str) -> Iterator[None]:
    """Turn a fault of Xet's storage, which takes large files, into one line.

    Its client raises Python's own errors; the hub's answers are errors of httpx2.
    """
    try:
        yield
    except (ConnectionError, RuntimeError) as error:
        reason = words_of(error)
        raise CheckpointError(
            f"{repo}: Xet's storage did not take the large files: {reason}. HF_HUB_DISABLE_XET=1 "
            "in the environment does without it. Nothing was committed."
        ) from error


def _api() -> HfApi:
    return HfApi(endpoint=endpoint())


def _files(folder: Path) -> dict[str, Path]:
    """Return the files of a model folder by their names in it; hidden ones are left out."""
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder}: holds no config.json, so it is not a model. Give the folder of a model."
        )
    link = leaving_link(folder)
    if link is not None:
        raise CheckpointError(
            f"{link}: a link that leads out of {folder}. Copy the file there, or remove the link."
        )
    paths = {p.relative_to(folder): p for p in sorted(folder.rglob("*")) if p.is_file()}
    is_hidden = {name: any(part.startswith(".") for part in name.parts) for name in paths}
    return {name.as_posix(): path for name, path in paths.items() if not is_hidden[name]}


def _sizes(files: Mapping[str, Path]) -> dict[str, int]:
    return {name: path.stat().st_size for name, path in files.items()}


def _is_equal(path: Path, remote: str | None) -> bool:
    """Return whether the hub has the bytes of a file: by SHA-256 (large files) or git's hash."""
    if remote is None:
        return False
    return remote == (file_hash(path) if len(remote) == 64 else git_hash(path.read_bytes()))


def _check_card(files: Mapping[str, Path]) -> None:
    """Check the card as far as that needs no hub, which checks it again when all was sent."""
    if CARD not in files:
        return
    try:
        ModelCard.load(files[CARD], ignore_metadata_errors=False)
    except (ValueError, TypeError, YAMLError, RecursionError) as error:
        reason = words_of(error)
        raise CheckpointError(f"{files[CARD]}: {reason}. {_FIX_CARD}") from error


def _remote(repo: str):  # type: ignore[no-untyped-def]  # a ModelInfo
    """Return what the hub says of a repository; None where there is none that the token opens."""
    if get_token() is None:
        raise CheckpointError(f"{repo}: there is no token. {_TOKEN}")
    try:
        return understood(lambda: _api().model_info(repo, files_metadata=True))
    except RepositoryNotFoundError as error:
        if error.response.status_code == 401:
            raise
        return None


@contextmanager
def _answered(repo: str) -> Iterator[None]:
    """Turn what the hub answers into one line; a token is in none of them."""
    try:
        yield
    except CheckpointError:
        raise
    except OfflineModeIsEnabled as error:
        raise CheckpointError(
            f"{repo}: HF_HUB_OFFLINE is set, so nothing is sent. Unset it and run again."
        ) from error
    except HfHubHTTPError as error:
        raise CheckpointError(f"{repo}: {_refusal(error)}") from error
    except (json.JSONDecodeError, OddAnswerError) as error:
        raise CheckpointError(
            f"{repo}: {endpoint()} answers, but not as a hub does. Check HF_ENDPOINT, the proxy "
            "and the firewall."
        ) from error
    except ValueError as error:  # huggingface_hub's, where the hub refuses the card
        raise CheckpointError(f"{repo}: {' '.join(str(error).split())}. {_FIX_CARD}") from error
    except (httpx2.HTTPError, ConnectionError, TimeoutError) as error:
        raise CheckpointError(
            f"{repo}: {endpoint()} does not answer ({type(error).__name__}). Check the network "
            "and HF_ENDPOINT, and run again."
        ) from error


def _refusal(error: HfHubHTTPError) -> str:
    status = error.response.status_code
    if status == 401:
        return f"the token is wrong or has expired. {_TOKEN}"
    if status == 403:
        return f"the token may not write there. {_TOKEN}"
    if status == 404:
        return f"no such repository, or the token does not open it. {_TOKEN}"
    return f"{endpoint()} answered {status}. Nothing was committed; run again later."
