"""Files that the hub keeps in Xet's storage: through it, or by plain HTTP where that is asked."""

from pathlib import Path

import pytest

from stages.errors import CheckpointError
from stages.hashing import file_hash
from tests.download.conftest import params, run
from tests.hub_server import HubServer

OUT = Path("data/parents")
WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def _waits_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.usefixtures("project")
def test_xet_switched_off_means_plain_http(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With HF_HUB_DISABLE_XET the hub sends the file itself; one that was cut goes on."""
    hub.push("org/math", pico["math"])
    hub.names_xet = True
    hub.cut_after[WEIGHTS] = [1000]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    run(params(math="org/math@main"), OUT)
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)


@pytest.mark.usefixtures("project")
def test_xet_that_does_not_answer_is_one_error(hub: HubServer, pico: dict[str, Path]) -> None:
    """The message names the model and the variable that does without it; no part is left."""
    hub.push("org/math", pico["math"])
    hub.names_xet = True
    with pytest.raises(CheckpointError) as caught:
        run(params(math="org/math@main"), OUT)
    said = str(caught.value)
    assert "org/math" in said
    assert "HF_HUB_DISABLE_XET=1" in said
    assert not OUT.exists()
    hub.names_xet = False
    run(params(math="org/math@main"), OUT)
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)
