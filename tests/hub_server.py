"""A small server that speaks the Hugging Face hub's protocol, for huggingface_hub to talk to.

It serves revisions by name or commit, HEAD and GET with ETag and Range, and can ask for a token
or cut a transfer short.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
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


@dataclass
class Request:
    """One request that reached the server."""

    method: str
    path: str
    range: str | None


class HubServer:
    """A hub on 127.0.0.1 for the length of a ``with`` block; ``cut_after`` breaks transfers.

    ``cut_after`` {path: [n, ...]}: each of the next GETs of the file ends after n bytes.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.cut_after: dict[str, list[int]] = {}
        handler = type("Handler", (_Handler,), {"hub": self})
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
        digest = hashlib.sha1(usedforsecurity=False)
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
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- http.server's name
        """Keep silent."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(Request(self.command, path, self.headers.get("Range")))
        match = _RESOLVE.fullmatch(path) or _TREE.fullmatch(path) or _API.fullmatch(path)
        repo = self.hub.repos.get(match["repo"]) if match else None
        if match is None or repo is None:
            self._refuse(401 if match else 404, "RepoNotFound")
        elif repo.token and self.headers.get("Authorization") != f"Bearer {repo.token}":
            self._refuse(401, "GatedRepo" if repo.is_gated else "RepoNotFound")
        else:
            self._answer_from(repo, match, with_body=with_body)

    def _answer_from(self, repo: Repo, match: re.Match[str], *, with_body: bool) -> None:
        revision = match["revision"] or "main"
        commit = repo.names.get(revision, revision)
        if commit not in repo.commits:
            self._refuse(404, "RevisionNotFound")
            return
        files = repo.commits[commit]
        if match.re is _API:
            self._json(_info(match["repo"], commit, files))
        elif match.re is _TREE:
            self._json(_tree(files))
        elif match["path"] not in files:
            self._refuse(404, "EntryNotFound")
        else:
            self._file(commit, match["path"], files[match["path"]], with_body=with_body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, data: object) -> None:
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, commit: str, path: str, data: bytes, *, with_body: bool) -> None:
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and with_body:
            start = int(wanted[1])
        body = data[start:]
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{_etag(path, data)}"')
        self.send_header("X-Repo-Commit", commit)
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
        self.wfile.write(body)


def _is_large(path: str) -> bool:
    return path.endswith((".safetensors", ".bin"))


def _etag(path: str, data: bytes) -> str:
    if _is_large(path):
        return hashlib.sha256(data).hexdigest()
    blob = b"blob %d\0" % len(data) + data
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()


def _info(repo: str, commit: str, files: dict[str, bytes]) -> dict[str, Any]:
    siblings = []
    for path, data in files.items():
        lfs = {"sha256": _etag(path, data), "size": len(data), "pointerSize": 134}
        entry = {"rfilename": path, "size": len(data), "blobId": _etag(path, data)}
        siblings.append(entry | ({"lfs": lfs} if _is_large(path) else {}))
    return {"_id": "0", "id": repo, "modelId": repo, "sha": commit, "siblings": siblings}


def _tree(files: dict[str, bytes]) -> list[dict[str, Any]]:
    rows = []
    for path, data in files.items():
        lfs = {"oid": _etag(path, data), "size": len(data), "pointerSize": 134}
        entry = {"type": "file", "path": path, "size": len(data), "oid": _etag(path, data)}
        rows.append(entry | ({"lfs": lfs} if _is_large(path) else {}))
    return rows
