"""Whether the device that params name is on this machine."""

import torch

from stages.errors import EvaluationError


def check_device(name: str) -> None:
    """Check that torch finds the device.

    Raises:
        EvaluationError: it does not.
    """
    if not _is_here(name):
        raise EvaluationError(
            f"evaluate.device: {name!r} is not on this machine. Legal: cpu, cuda or "
            "cuda:<number> where torch finds a GPU, mps on a Mac."
        )


def _is_here(name: str) -> bool:
    try:
        device = torch.device(name)
    except RuntimeError:
        return False
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return name == "cpu"
