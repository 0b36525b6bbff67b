"""Merges that do not end: a kill, a disk without room. Nothing that loads is left half-written."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.flows.cli.test_merge_command import SPARSE, sparse
from tests.flows.typed import merged

ROOT = Path(__file__).parents[2]
LIMIT = 1 << 20
SLOW = SPARSE.replace("linear", "karcher").replace("parameters: {weight: 1}\n", "")


def _started(*options: str, limit: int | None = None) -> subprocess.Popen[str]:
    """Start a merge of two models of some MB in a process of its own."""
    for name in ("big", "vast"):
        sparse(Path(name), 2_000)
    Path("merge.yml").write_text(SLOW, encoding="utf-8")

    def confine() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "germline", "merge", "merge.yml", "out", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=confine,  # noqa: PLW1509  no threads here hold a lock it could need
    )


@pytest.mark.usefixtures("here")
def test_what_a_kill_leaves_goes_with_the_next_run() -> None:
    """After kill -9 there is no OUT, and the next run removes the hidden folder."""
    child = _started()
    deadline = time.monotonic() + 60
    while not list(Path().glob(".out.*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)
    assert not Path("out").exists()
    assert 1 == len(list(Path().glob(".out.*.partial")))
    merged("merge_method: passthrough\nmodels: [{model: one}]")
    assert [] == list(Path().glob(".out.*"))
    assert Path("out/model.safetensors").is_file()


@pytest.mark.usefixtures("here")
def test_a_file_that_may_not_grow_is_one_line() -> None:
    """The system refuses to write on; the message says why, and no folder is left."""
    said = _started(limit=LIMIT).communicate(timeout=120)[1]
    expected = "error: out: a file would be larger than is allowed. Give a smaller --shard-size."
    assert said.startswith(expected), said
    assert 1 == len(said.splitlines())
    assert [] == [path.name for path in Path().iterdir() if "out" in path.name]
