"""One GPU for each worker."""

from pathlib import Path

from flows.execution.candidates.gpu_slots import own_device


def test_workers_take_gpus_in_turn(tmp_path: Path) -> None:
    """Worker i has GPU i modulo their number; who replaces a dead one has its GPU."""
    workers = [own_device("cuda", 3, tmp_path) for _ in range(4)]
    assert ["cuda:0", "cuda:1", "cuda:2", "cuda:0"] == [device for device, _ in workers]
    lock = workers[1][1]
    assert lock is not None
    lock.release()
    assert "cuda:1" == own_device("cuda", 3, tmp_path)[0]


def test_a_device_that_is_named_is_taken(tmp_path: Path) -> None:
    """Nothing is chosen where there is no choice, and no file is written."""
    asked = [("cpu", 0), ("cuda", 0), ("cuda", 1), ("cuda:2", 4), ("mps", 0)]
    for device, num_gpus in asked:
        assert (device, None) == own_device(device, num_gpus, tmp_path / "slots")
    assert not (tmp_path / "slots").exists()
