"""Merges that do not end: a kill, a disk without room. Nothing that loads is left half-written."""

from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.flows.cli.test_merge_command import SPARSE, sparse
from tests.flows.conftest import environment, wait_until
from tests.flows.forked_command import started
from tests.flows.typed import merged

LIMIT = 1 << 20
SLOW = SPARSE.replace("linear", "karcher").replace("parameters: {weight: 1}\n", "")


def _started(folder: Path, log: Path, **limits: int) -> BaseProcess:
    """Start a merge of two models of some MB in a process of its own."""
    for name in ("big", "vast"):
        sparse(Path(name), 2_000)
    Path("merge.yml").write_text(SLOW, encoding="utf-8")
    return started(["merge", "merge.yml", "out"], folder, environment(), log, **limits)


@pytest.mark.usefixtures("fork_server")
def test_what_a_kill_leaves_goes_with_the_next_run(here: Path, tmp_path: Path) -> None:
    """After kill -9 there is no OUT, and the next run removes the hidden folder."""
    child = _started(here, tmp_path / "said.log")
    wait_until(lambda: bool(list(Path().glob(".out.*.partial"))), limit_s=60)
    child.kill()
    child.join(timeout=60)
    assert not Path("out").exists()
    assert 1 == len(list(Path().glob(".out.*.partial")))
    merged("merge_method: passthrough\nmodels: [{model: one}]")
    assert [] == list(Path().glob(".out.*"))
    assert Path("out/model.safetensors").is_file()


@pytest.mark.usefixtures("fork_server")
def test_a_file_that_may_not_grow_is_one_line(here: Path, tmp_path: Path) -> None:
    """The system refuses to write on; the message says why, and no folder is left."""
    log = tmp_path / "said.log"
    _started(here, log, file_bytes=LIMIT).join(timeout=120)
    said = log.read_text(encoding="utf-8")
    expected = "error: out: a file would be larger than is allowed. Give a smaller --shard-size."
    assert said.splitlines()[-1].startswith(expected), said
    assert 1 == said.count("error")
    assert [] == [path.name for path in Path().iterdir() if "out" in path.name]
