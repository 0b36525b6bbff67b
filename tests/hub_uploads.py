"""A small hub that also takes uploads: repositories are made, files sent and committed.

It speaks what huggingface_hub does without xet: preupload, git-lfs's batches, and commits.
"""

import base64
import json
import re
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.hub_server import HubHandler, HubServer, Repo, Request, is_large

_PREUPLOAD = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/preupload/[^/]+")
_COMMIT = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/commit/[^/]+")
_BATCH = re.compile(r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
_OBJECT = re.compile(r"/lfs/(?P<oid>[0-9a-f]{64})")


class UploadHub(HubServer):
    """A hub that takes uploads of the ``writer``'s token; the ``reader``'s may only read.

    ``objects`` are the large files that were sent, by their SHA-256; ``bodies`` what was posted;
    ``card_faults`` what its validator says of any card.
    """

    writer, reader = "hf_writer", "hf_reader"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.bodies: list[bytes] = []
        self.card_faults: list[str] = []
        super().__init__(_UploadHandler)

    def asked(self, method: str) -> list[str]:
        """Return the paths of the requests of a method."""
        return [request.path for request in self.requests if request.method == method]


class _UploadHandler(HubHandler):
    hub: UploadHub

    def do_GET(self) -> None:  # noqa: N802  # http.server's name
        if self._is_known():
            super().do_GET()

    def do_PUT(self) -> None:  # noqa: N802  # http.server's name
        path, body = self._request()
        match = _OBJECT.fullmatch(path)
        if match is None or match["oid"] != sha256(body).hexdigest():
            self._refuse(400, "")
            return
        self.hub.objects[match["oid"]] = body
        self._json({})

    def do_POST(self) -> None:  # noqa: N802  # http.server's name
        path, body = self._request()
        self.hub.bodies.append(body)
        if not self._is_known():
            return
        if self.headers.get("Authorization") != f"Bearer {self.hub.writer}":
            self._refuse(403, "")
        elif path == "/api/validate-yaml":
            faults = [{"message": fault} for fault in self.hub.card_faults]
            self._json({"errors": faults, "warnings": []}, 400 if faults else 200)
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.hub.repos[name] = repo = Repo(is_private=asked.get("visibility") == "private")
            repo.commits["0" * 40] = {}
            repo.names["main"] = "0" * 40
            self._json({"url": f"{self.hub.url}/{name}"})
        else:
            self._take(path, body)

    def _take(self, path: str, body: bytes) -> None:
        if _PREUPLOAD.fullmatch(path):
            files = [file["path"] for file in json.loads(body)["files"]]
            self._json({"files": [_mode(name) for name in files]})
        elif _BATCH.fullmatch(path):
            asked = json.loads(body)["objects"]
            self._json({"transfer": "basic", "objects": [self._action(one) for one in asked]})
        elif match := _COMMIT.fullmatch(path):
            self._json(self._commit(match["repo"], body))
        else:
            self._refuse(404, "")

    def _action(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["oid"] in self.hub.objects:
            return asked
        upload = {"href": f"{self.hub.url}/lfs/{asked['oid']}"}
        return {**asked, "actions": {"upload": upload}}

    def _commit(self, name: str, body: bytes) -> dict[str, Any]:
        repo = self.hub.repos[name]
        files = dict(repo.commits[repo.names["main"]])
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        digest = sha1(usedforsecurity=False)
        for path, data in sorted(files.items()):
            digest.update(path.encode() + b"\0" + data)
        commit = digest.hexdigest()
        repo.commits[commit] = files
        repo.names["main"] = commit
        return {"commitUrl": f"{self.hub.url}/{name}/commit/{commit}", "commitOid": commit}

    def _is_known(self) -> bool:
        """Return whether the request's token is one of the hub's, or refuse it."""
        token = self.headers.get("Authorization")
        if token in {None, f"Bearer {self.hub.writer}", f"Bearer {self.hub.reader}"}:
            return True
        self._refuse(401, "", {"X-Error-Message": "Invalid credentials in Authorization header"})
        return False

    def _request(self) -> tuple[str, bytes]:
        path = unquote(urlsplit(self.path).path)
        token = self.headers.get("Authorization")
        self.hub.requests.append(Request(self.command, path, None, token is not None))
        return path, self._body()

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


def _mode(name: str) -> dict[str, Any]:
    mode = "lfs" if is_large(name) else "regular"
    return {"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": None}
