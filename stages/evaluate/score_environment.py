"""What scores depend on besides recipes and params: the installed libraries and the machine.

The libraries' versions are part of every evaluation's key. The machine is not: it is recorded
with every evaluation where no output holds it, so that equal scores give equal outputs anywhere.
"""

import os
import platform
from importlib.metadata import version
from typing import Any

PACKAGES = ("lm_eval", "numpy", "tokenizers", "torch", "transformers")
# What has the libraries below torch choose other instructions than the processor's best.
_SWITCHES = ("DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA")


def packages() -> dict[str, str]:
    """Return the versions of the libraries that compute scores, without the names of builds."""
    return {name: version(name).partition("+")[0] for name in PACKAGES}


def machine(device: str) -> dict[str, Any]:
    """Return what decides the last bits of scores on ``device`` of this machine.

    That is its kind, never its name: two machines of one kind return the same.
    """
    import torch

    # Older versions of torch tell the level alone.
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    kind: dict[str, Any] = {
        "instructions": sorted(name for name, has in able.items() if has is True),
        "level": torch.backends.cpu.get_cpu_capability(),
        "processor": " ".join(str(p) for p in (platform.machine(), able.get("cpu_name")) if p),
        "switches": {name: os.environ[name] for name in _SWITCHES if name in os.environ},
        "torch": torch.__version__,
    }
    if device.startswith("cuda"):
        kind["gpu"] = torch.cuda.get_device_name(device)
        kind["cuda"] = torch.version.cuda or torch.version.hip
        kind["cudnn"] = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    if device.startswith("mps"):
        kind["system"] = platform.mac_ver()[0]
    return kind


def in_words(kind: dict[str, Any]) -> str:
    """Return one line about a machine that ``machine`` described."""
    parts = [kind.get("gpu"), kind.get("processor"), kind.get("level"), f"torch {kind['torch']}"]
    switches = [f"{name}={value}" for name, value in sorted(kind.get("switches", {}).items())]
    return ", ".join(str(part) for part in (*parts, *switches) if part)
