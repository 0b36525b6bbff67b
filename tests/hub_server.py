"""A small server that speaks the Hugging Face hub's protocol, for huggingface_hub to talk to.

It serves revisions by name or commit, HEAD and GET with ETag and Range, and has accidents on
order: refusals, transfers that are cut, slow, short or wrong, a token that is asked for, and large
files that another host sends, as a hub's do.
"""

import json
import re
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?")
_TREE = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)(/.*)?")
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class Repo:
    """The commits of a repository, and the names (branches, tags) for some of them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    is_gated: bool = False
    is_private: bool = False


@dataclass
class Request:
    """One request that reached the server; ``has_token`` where it brought one."""

    method: str
    path: str
    range: str | None
    has_token: bool = False


@dataclass
class Busy:
    """An answer without content: its status and its headers."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


class HubServer:
    """A hub on 127.0.0.1 for the length of a ``with`` block, and the accidents that it has.

    ``cut_after`` {path: [n, ...]}: each of the next GETs of the file ends after n bytes.
    ``busy`` {"api", "tree" or path: [Busy, ...]}: the next requests for it are refused so.
    ``sent`` {path: bytes, ...}: is sent under the name of a file, whose listed hash stays.
    ``bytes_per_s`` slows large files down; ``cdn`` is another server that sends large files.
    ``names_xet`` has large files named as Xet's, whose storage is not there.
    """

    def __init__(self, kind: "type[HubHandler] | None" = None) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.cut_after: dict[str, list[int]] = {}
        self.busy: dict[str, list[Busy]] = {}
        self.sent: dict[str, bytes] = {}
        self.bytes_per_s: float | None = None
        self.cdn: HubServer | None = None
        self.names_xet = False
        self.is_stopping = False
        handler = type("Handler", (kind or HubHandler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """The endpoint to put into HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def push(self, repo: str, folder: Path, *, name: str = "main") -> str:
        """Make a commit of the files in ``folder``, call it ``name``, and return it."""
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        digest = sha1(usedforsecurity=False)
        for path, data in files.items():
            digest.update(path.encode() + b"\0" + data)
        target = self.repos.setdefault(repo, Repo())
        target.commits[digest.hexdigest()] = files
        target.names[name] = digest.hexdigest()
        return digest.hexdigest()

    def fetched(self) -> list[str]:
        """Return the paths of the files whose contents were asked for."""
        return [
            match["path"]
            for request in self.requests
            if request.method == "GET" and (match := _RESOLVE.fullmatch(request.path))
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port; calling it again does nothing."""
        self.is_stopping = True
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


class HubHandler(BaseHTTPRequestHandler):
    """Answers the requests that huggingface_hub reads with."""

    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- http.server's name
        """Keep silent."""

    def do_HEAD(self) -> None:
        """Answer without the content."""
        self._answer(with_body=False)

    def do_GET(self) -> None:
        """Answer with the content."""
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        encoded = urlsplit(self.path).path
        path = unquote(encoded)
        token = self.headers.get("Authorization")
        self.hub.requests.append(
            Request(self.command, path, self.headers.get("Range"), token is not None)
        )
        # A revision's own slashes are encoded: refs%2Fpr%2F1.
        kinds = (_RESOLVE, _TREE, _API)
        match = next((m for kind in kinds if (m := kind.fullmatch(encoded))), None)
        repo = self.hub.repos.get(match["repo"]) if match else None
        refusals = self.hub.busy.get(_subject(match)) if match else None
        if refusals and (match is None or match.re is not _RESOLVE or with_body):
            self._refuse(refusals[0].status, "", refusals.pop(0).headers)
        elif match is None or repo is None:
            self._refuse(401 if match and token is None else 404, "RepoNotFound")
        elif repo.token and token is not None and token != f"Bearer {repo.token}":
            self._refuse(
                401, "", {"X-Error-Message": "Invalid credentials in Authorization header"}
            )
        elif repo.is_gated:
            self._refuse(403 if token else 401, "GatedRepo")
        elif repo.token and token is None:
            self._refuse(401, "RepoNotFound")
        else:
            self._answer_from(repo, match, with_body=with_body)

    def _answer_from(self, repo: Repo, match: re.Match[str], *, with_body: bool) -> None:
        revision = unquote(match["revision"] or "main")
        path = unquote(match["path"]) if match.re is _RESOLVE else ""
        commit = repo.names.get(revision, revision)
        if commit not in repo.commits:
            self._refuse(404, "RevisionNotFound")
            return
        files = repo.commits[commit]
        if match.re is _API:
            self._json({**_info(match["repo"], commit, files), "private": repo.is_private})
        elif match.re is _TREE:
            self._json(_tree(files))
        elif path not in files:
            self._refuse(404, "EntryNotFound")
        else:
            self._file(commit, path, files[path], with_body=with_body)

    def _refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"X-Error-Code": code, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, data: object, status: int = 200) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, commit: str, path: str, data: bytes, *, with_body: bool) -> None:
        etag = _etag(path, data)
        if self.hub.cdn is not None and is_large(path):
            self.send_response(302)
            self.send_header("Location", f"{self.hub.cdn.url}{self.path}")
            self.send_header("X-Linked-ETag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.hub.sent.get(path, data)
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and with_body:
            start = int(wanted[1])
        body = data[start:]
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", commit)
        if self.hub.names_xet and is_large(path):  # its storage cannot be reached
            self.send_header("X-Xet-Hash", "a" * 64)
            self.send_header("X-Xet-Refresh-Route", f"{self.hub.url}/api/xet-read-token")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not with_body:
            return
        cuts = self.hub.cut_after.get(path)
        if cuts:
            self.wfile.write(body[: cuts.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        self._send(body, is_large=is_large(path))

    def _send(self, body: bytes, *, is_large: bool) -> None:
        if self.hub.bytes_per_s is None or not is_large:
            self.wfile.write(body)
            return
        step = max(1, int(self.hub.bytes_per_s / 20))
        for first in range(0, len(body), step):
            if self.hub.is_stopping:
                return
            try:
                self.wfile.write(body[first : first + step])
                self.wfile.flush()
            except ConnectionError:  # the client was killed
                self.close_connection = True
                return
            time.sleep(0.05)


def _subject(match: re.Match[str]) -> str:
    """Return what a request is about, by the names of ``HubServer.busy``."""
    if match.re is _RESOLVE:
        return unquote(match["path"])
    return "tree" if match.re is _TREE else "api"


def is_large(path: str) -> bool:
    """Return whether the hub keeps a file as a large one."""
    return path.endswith((".safetensors", ".bin"))


def _etag(path: str, data: bytes) -> str:
    if is_large(path):
        return sha256(data).hexdigest()
    blob = b"blob %d\0" % len(data) + data
    return sha1(blob, usedforsecurity=False).hexdigest()


def _info(repo: str, commit: str, files: dict[str, bytes]) -> dict[str, Any]:
    siblings = []
    for path, data in files.items():
        lfs = {"sha256": _etag(path, data), "size": len(data), "pointerSize": 134}
        entry = {"rfilename": path, "size": len(data), "blobId": _etag(path, data)}
        siblings.append(entry | ({"lfs": lfs} if is_large(path) else {}))
    return {"_id": "0", "id": repo, "modelId": repo, "sha": commit, "siblings": siblings}


def _tree(files: dict[str, bytes]) -> list[dict[str, Any]]:
    rows = []
    for path, data in files.items():
        lfs = {"oid": _etag(path, data), "size": len(data), "pointerSize": 134}
        entry = {"type": "file", "path": path, "size": len(data), "oid": _etag(path, data)}
        rows.append(entry | ({"lfs": lfs} if is_large(path) else {}))
    return rows
