"""One GPU for each worker."""

from pathlib import Path

from flows.execution import gpu_slots
from flows.execution.gpu_slots import own_device


def test_workers_take_gpus_in_turn(tmp_path: Path) -> None:
    """Worker i has GPU i modulo their number; who replaces a dead one has its GPU."""
    before = len(gpu_slots._HELD)
    assert ["cuda:0", "cuda:1", "cuda:2", "cuda:0"] == [
        own_device("cuda", 3, tmp_path) for _ in range(4)
    ]
    mine = gpu_slots._HELD[before:]
    mine[1].release()
    assert own_device("cuda", 3, tmp_path) == "cuda:1"
    for lock in gpu_slots._HELD[before:]:
        lock.release()
    del gpu_slots._HELD[before:]


def test_a_device_that_is_named_is_taken(tmp_path: Path) -> None:
    """Nothing is chosen where there is no choice, and no file is written."""
    asked = [("cpu", 0), ("cuda", 0), ("cuda", 1), ("cuda:2", 4), ("mps", 0)]
    found = [own_device(device, num_gpus, tmp_path / "slots") for device, num_gpus in asked]
    assert [device for device, _ in asked] == found
    assert not (tmp_path / "slots").exists()
