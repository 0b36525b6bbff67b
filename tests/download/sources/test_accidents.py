"""What goes wrong with hubs and networks, with huggingface_hub itself and a server that errs."""

import json
import os
import shutil
import signal
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from flows.prefect_runtime.console import telling
from stages.errors import CheckpointError
from stages.hashing import file_hash
from tests.download.conftest import params, run
from tests.hub_server import Busy, HubServer

OUT = Path("data/parents")
WEIGHTS = "model.safetensors"


@pytest.fixture
def shards(pico: dict[str, Path], tmp_path: Path) -> Path:
    """The model math in three shards."""
    folder = shutil.copytree(pico["math"], tmp_path / "shards")
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(tensors)
    weight_map = {n: f"model-{i % 3 + 1:05}-of-00003.safetensors" for i, n in enumerate(names)}
    for shard in sorted({*weight_map.values()}):
        save_file({n: tensors[n] for n in names if weight_map[n] == shard}, folder / shard)
    index = json.dumps({"weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    return folder


def cached(tmp_path: Path, pattern: str) -> list[Path]:
    """Return the files of the hub's cache whose names match, while folders in it come and go."""
    walked = os.walk(tmp_path / "cache")  # rglob raises where a folder goes between two looks
    paths = (Path(folder, name) for folder, _, names in walked for name in names)
    return sorted(path for path in paths if path.match(pattern))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("subject", ["api", "tree", WEIGHTS, "config.json"])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_one_refusal_is_waited_out(
    subject: str, status: int, hub: HubServer, pico: dict[str, Path], waits: list[float]
) -> None:
    """A busy hub is asked again, wherever it was busy."""
    hub.push("org/math", pico["math"])
    hub.busy[subject] = [Busy(status)]

    run(params(math="org/math@main"), OUT)

    assert [] == hub.busy[subject]
    assert len(waits) >= 1
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("subject", ["api", WEIGHTS])
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "37"},
        {"RateLimit": '"api";r=0;t=37', "Retry-After": "1"},
    ],
)
def test_the_wait_that_a_hub_asks_for_is_kept(
    subject: str,
    headers: dict[str, str],
    hub: HubServer,
    pico: dict[str, Path],
    waits: list[float],
) -> None:
    """Retry-After and the hub's own RateLimit are followed."""
    hub.push("org/math", pico["math"])
    hub.busy[subject] = [Busy(429, headers)]

    run(params(math="org/math@main"), OUT)

    assert max(waits) == pytest.approx(37, abs=2)


@pytest.mark.usefixtures("project")
def test_a_hub_that_stays_busy_ends_in_one_line(
    hub: HubServer, pico: dict[str, Path], waits: list[float]
) -> None:
    """After five tries the message says what it answered; a wait of a day is not kept."""
    hub.push("org/math", pico["math"])
    hub.busy["api"] = [Busy(503)] * 5
    with pytest.raises(CheckpointError, match=r"answered 503, 5 times. Wait, and run again") as e:
        run(params(math="org/math@main"), OUT)
    assert 1 == len(str(e.value).splitlines())
    assert [1, 2, 4, 8] == waits

    hub.busy["api"] = [Busy(429, {"Retry-After": "86400"})]
    with pytest.raises(CheckpointError, match=r"answered 429. Wait 86400 s, as it asks"):
        run(params(math="org/math@main"), OUT)
    assert 4 == len(waits)


@pytest.mark.usefixtures("project", "waits")
def test_a_file_of_wrong_bytes_costs_that_file(
    hub: HubServer, shards: Path, tmp_path: Path
) -> None:
    """Wrong bytes of the listed size are never in the cache; the other shards are kept."""
    hub.push("org/math", shards)
    bad = "model-00002-of-00003.safetensors"
    hub.sent[bad] = bytes((shards / bad).stat().st_size)

    with pytest.raises(CheckpointError, match=rf"{bad}: the hub sent bytes .* twice") as caught:
        run(params(math="org/math@main"), OUT)
    assert "download.parents.math: org/math@" in str(caught.value)
    assert [] == cached(tmp_path, "*.incomplete")
    hub.sent.clear()
    hub.requests.clear()
    run(params(math="org/math@main"), OUT)

    assert [bad] == hub.fetched()


@pytest.mark.usefixtures("project", "waits")
def test_a_short_file_is_said_to_be_short(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """A body of fewer bytes than listed is not called a fault of the cache; it is kept."""
    hub.push("org/math", pico["math"])
    hub.sent[WEIGHTS] = (pico["math"] / WEIGHTS).read_bytes()[:5000]
    with pytest.raises(CheckpointError, match=r"broke off after 5.0 kB of 21.9 kB of model") as e:
        run(params(math="org/math@main"), OUT)
    assert "force_download" not in str(e.value)
    hub.sent.clear()
    hub.requests.clear()

    run(params(math="org/math@main"), OUT)

    assert ["bytes=5000-"] == [r.range for r in hub.requests if r.method == "GET" and r.range]
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)
    assert [] == cached(tmp_path, "*.incomplete")


@pytest.mark.usefixtures("project")
def test_large_files_may_come_from_another_host(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect is followed, with the range and without the token."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with HubServer() as cdn:
        cdn.push("org/math", pico["math"])
        cdn.cut_after[WEIGHTS] = [5000]
        hub.push("org/math", pico["math"])
        hub.cdn = cdn

        run(params(math="org/math@main"), OUT)

        assert [None, "bytes=5000-"] == [r.range for r in cdn.requests if r.method == "GET"]
        assert not any(request.has_token for request in cdn.requests)
        assert all(request.has_token for request in hub.requests)


@pytest.mark.usefixtures("project")
def test_wrong_tokens_and_closed_doors_are_told_apart(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """401 with a token, 401 without, 403, a gate and a missing model have a message each."""
    hub.push("org/math", pico["math"])
    repo = hub.repos["org/math"]
    repo.token = "hf_right"  # noqa: S105 -- the test server's own

    def said() -> str:
        with pytest.raises(CheckpointError) as caught:
            run(params(math="org/math@main"), OUT)
        return str(caught.value)

    assert "no such repository, or a private one" in said()
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "answered 401: the token is wrong or has expired" in said()
    assert "(now set)" in said()
    assert "hf_wrong" not in said()
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    hub.busy["api"] = [Busy(403)]
    assert "answered 403: this may not be read with a token" in said()
    repo.is_gated = True
    assert "gated. Accept its terms on its page" in said()
    del hub.repos["org/math"]
    assert "no such repository" in said()


@pytest.mark.usefixtures("project")
def test_room_is_asked_for_before_the_first_weight(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what is needed and what the disk has; no weight file is asked for."""
    hub.push("org/math", pico["math"])
    hub.push("org/lang", pico["lang"])
    usage = type("Usage", (), {"free": 30_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)

    with pytest.raises(CheckpointError, match=r"needs .*, the disk has .* free") as caught:
        run(params(math="org/math@main", lang="org/lang@main"), OUT)

    assert 1 == len(str(caught.value).splitlines())
    assert WEIGHTS not in hub.fetched()


def _fetch(url: str, cache: Path, log: Path) -> None:
    """Download in a process of its own, whose lines go to ``log``."""
    os.environ["HF_ENDPOINT"] = url
    os.environ.pop("HF_TOKEN", None)
    constants.HF_HUB_OFFLINE = False
    constants.HF_HUB_CACHE = str(cache)
    constants.DOWNLOAD_CHUNK_SIZE = 1000
    # The fork server may be a pool's, whose processes leave Ctrl-C to the run.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)

    def download() -> None:
        run(params(math="org/math@main"), OUT)

    telling(download)


def started(hub: HubServer, tmp_path: Path, num_bytes: int = 0) -> BaseProcess:
    """Start a download in a process of its own; return it once more than ``num_bytes`` came."""
    hub.bytes_per_s = 2_000
    process = get_context("forkserver").Process(
        target=_fetch, args=(hub.url, tmp_path / "cache", tmp_path / "said.log")
    )
    process.start()
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size > num_bytes for p in cached(tmp_path, "*.incomplete")):
        assert process.is_alive(), (tmp_path / "said.log").read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.usefixtures("project", "fork_server")
def test_a_stopped_download_goes_on_where_it_was(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """Ctrl-C ends it and says what is kept, kill -9 ends it; then only what lacks is asked for."""
    hub.push("org/math", pico["math"])
    process = started(hub, tmp_path)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    process.join(timeout=20)
    assert 130 == process.exitcode
    said = " ".join((tmp_path / "said.log").read_text(encoding="utf-8").split())
    assert "0 of 1 files of org/math@" in said
    assert "kept in the hub's cache" in said
    first = [p.stat().st_size for p in cached(tmp_path, "*.incomplete")]
    assert 1 == len(first)

    hub.requests.clear()
    process = started(hub, tmp_path, first[0])
    process.kill()
    process.join()
    (part,) = cached(tmp_path, "*.incomplete")
    size = part.stat().st_size
    assert size > first[0]
    shutil.copy(part, part.with_name(f"{part.stem}.0123abcd.incomplete"))  # as huggingface_hub's
    (part.parent / "0f0f.89ab.incomplete").write_bytes(b"of another commit")
    hub.bytes_per_s = None
    run(params(math="org/math@main"), OUT)

    ranges = [r.range for r in hub.requests if r.method == "GET" and r.path.endswith(WEIGHTS)]
    assert f"bytes={first[0]}-" == ranges[0]
    assert f"bytes={size}-" == ranges[1]
    assert [] == cached(tmp_path, "*.incomplete")
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)
