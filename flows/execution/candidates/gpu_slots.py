"""Which GPU a worker process takes, where there are several."""

from pathlib import Path

from filelock import FileLock, Timeout

SLOTS = Path(".scratch/gpus")


def own_device(device: str, num_gpus: int, slots: Path = SLOTS) -> tuple[str, FileLock | None]:
    """Return the device of this worker: with ``cuda``, the i-th worker alive has GPU i modulo n.

    It is the worker's as long as it keeps the lock; the end of its process, however it ends,
    releases it, and the worker that replaces it takes the same GPU. Any other device, and ``cuda``
    where there is no second GPU, is returned as it is.
    """
    if device != "cuda" or num_gpus < 2:
        return device, None
    slots.mkdir(parents=True, exist_ok=True)
    slot = 0
    while (lock := _taken(slots / f"{slot}.lock")) is None:
        slot += 1
    return f"cuda:{slot % num_gpus}", lock


def _taken(path: Path) -> FileLock | None:
    """Take a slot; return None where another worker has it."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock
