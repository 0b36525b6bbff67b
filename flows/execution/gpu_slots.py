"""Which GPU a worker process takes, where there are several."""

from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

SLOTS = Path(".scratch/gpus")
_HELD: list[FileLock] = []  # for as long as this process lives; its end releases them, however


def own_device(device: str, num_gpus: int, slots: Path = SLOTS) -> str:
    """Return the device of this worker: with ``cuda``, the i-th worker alive has GPU i modulo n.

    A worker that takes the place of one that died takes its GPU. Any other device, and ``cuda``
    where there is no second GPU, is returned as it is.
    """
    if device != "cuda" or num_gpus < 2:
        return device
    slots.mkdir(parents=True, exist_ok=True)
    slot = next(slot for slot in count() if _is_taken(slots / f"{slot}.lock"))
    return f"cuda:{slot % num_gpus}"


def _is_taken(path: Path) -> bool:
    """Take a slot; return False where another process, or this one, has it."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    _HELD.append(lock)
    return True
