"""The machine: processor, GPU, memory, disk, the program that stages are run with, and the hub."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
from huggingface_hub import constants

from flows.workspace.doctor.finding import Finding
from stages.files import size_text

_LEAST_FREE_BYTES = 1e9
_HUB_LIMIT_S = 5.0


def machine_findings(folder: Path) -> Iterator[Finding]:
    """Give what the machine has; ``folder`` is where results will be."""
    yield Finding("ok", "cores", str(psutil.cpu_count()))
    memory = psutil.virtual_memory()
    shown = f"{size_text(memory.available)} of {size_text(memory.total)} are free"
    if memory.available < _LEAST_FREE_BYTES:
        yield Finding("warning", "memory", shown, "End other programs; a worker needs 0.5 GB.")
    else:
        yield Finding("ok", "memory", shown)
    yield from disk_findings(folder, shutil.disk_usage(folder).free)
    yield from _gpu()


def disk_findings(folder: Path, free: int) -> Iterator[Finding]:
    """Give whether ``free`` bytes are enough to begin with."""
    shown = f"{size_text(free)} are free in {folder}"
    if free < _LEAST_FREE_BYTES:
        yield Finding("fault", "disk", shown, "Free some, or work on another disk.")
    else:
        yield Finding("ok", "disk", shown)


def _gpu() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Finding("ok", "torch", f"{torch.__version__}, {', '.join(names)}")
    elif shutil.which("nvidia-smi"):
        yield Finding(
            "warning",
            "torch",
            f"{torch.__version__} sees no GPU, and nvidia-smi is installed",
            "Install torch's build for CUDA, or go on with `evaluate.device: cpu`.",
        )
    else:
        yield Finding("ok", "torch", f"{torch.__version__}, without a GPU")


def program_findings() -> Iterator[Finding]:
    """Give whether the `python` of dvc.yaml's commands, and git, are there."""
    python = shutil.which("python")
    code = "import germline; print(germline.__file__)"
    own = subprocess.run(
        [python or sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if python is None or own.returncode:
        yield Finding(
            "warning",
            "python",
            f"{python or 'no such command'} cannot import germline; `dvc repro` would fail",
            f"Put {Path(sys.executable).parent} first on PATH, or use `germline run`.",
        )
    else:
        yield Finding("ok", "python", f"{python} has germline")
    if shutil.which("git") is None:
        yield Finding("fault", "git", "not installed", "DVC needs it: install git.")
    else:
        yield Finding("ok", "git", str(shutil.which("git")))


def hub_findings(*, is_needed: bool) -> Iterator[Finding]:
    """Give whether the hub can be asked, unless this machine is offline by choice."""
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        yield Finding("ok", "hub", "HF_HUB_OFFLINE is set: models come from the hub's cache alone")
        return
    address = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    try:
        httpx.get(f"{address}/api/models?limit=1", timeout=_HUB_LIMIT_S).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield Finding(
            "fault" if is_needed else "warning",
            "hub",
            f"{address} does not answer ({type(error).__name__})",
            "Set HF_ENDPOINT for a mirror, or HF_HUB_OFFLINE=1 and take models from the cache."
            if is_needed
            else "params.yaml names no model of it, so nothing is lost.",
        )
    else:
        yield Finding("ok", "hub", f"{address} answers")
