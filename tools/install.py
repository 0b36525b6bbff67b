"""Install the locked dependencies, and the germline command, into the running interpreter.

torch comes first, as a CPU build wherever one exists: a CUDA build is installed only on a
machine with an NVIDIA GPU. Everything else comes from requirements.lock, which holds no CUDA
library.
Run it by ``make install``; it uses the standard library alone.
"""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

LOCK = Path("requirements.lock")
TORCH = "torch"
UV = "uv"


def locked(name: str) -> str:
    """Return the ``name==version`` of a package in the lock."""
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        requirement = line.split(";")[0].strip()
        if requirement.startswith(f"{name}=="):
            return requirement
    raise SystemExit(f"{LOCK}: {name} is not in it. Make the lock again: make lock.")


def pip_install(*arguments: str, capture: bool = False) -> str:
    """Run pip in this environment and return its standard output when ``capture`` is set.

    Python compiles what it imports, a fifth of 23,000 files; pip, which would take a minute for
    all of them, compiles none.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "install", "--no-compile", *arguments]
    done = subprocess.run(command, check=False, text=True, stdout=-1 if capture else None)
    if done.returncode:
        raise SystemExit(f"pip install failed (exit {done.returncode}): {' '.join(arguments)}")
    return done.stdout or ""


def would_be_cuda(torch: str) -> bool:
    """Tell whether pip would choose a CUDA build: on Linux, any wheel that does not say +cpu."""
    if platform.system() != "Linux":
        return False
    options = ("--dry-run", "--quiet", "--no-deps", "--ignore-installed", "--report", "-")
    report = json.loads(pip_install(*options, torch, capture=True))
    version = str(report["install"][0]["metadata"]["version"])
    return not version.endswith("+cpu") and platform.machine() == "x86_64"


def install_torch() -> None:
    """Install the locked torch: from pip's indexes if that is right here, else the CPU build."""
    torch = locked(TORCH)
    if shutil.which("nvidia-smi"):
        pip_install("--quiet", torch)
    elif would_be_cuda(torch):
        # uv knows where PyTorch keeps its CPU builds; pip does not.
        pip_install("--quiet", UV)
        uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
        command = [*uv, "--torch-backend", "cpu", "--no-deps", torch]
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(
                f"{torch}: pip finds only a CUDA build and the CPU build could not be fetched. "
                f"Install it into this environment by hand ({sys.executable}), "
                "then run make again."
            )
    else:
        pip_install("--quiet", "--no-deps", torch)


def main() -> None:
    """Install torch, then the rest of the lock."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        version = platform.python_version()
        raise SystemExit(
            f"Python {version} found. germline needs 3.11 to 3.13; set PYTHON=python3.12"
        )
    already = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import torch; assert torch.__version__.split('+')[0] == "
            f"{locked(TORCH).split('==')[1]!r}",
        ],
        check=False,
        capture_output=True,
    )
    if already.returncode:
        install_torch()
    rest = [
        r for r in LOCK.read_text(encoding="utf-8").splitlines() if not r.startswith(f"{TORCH}==")
    ]
    listed = Path(sys.prefix) / "requirements.without-torch.txt"
    listed.write_text("\n".join(rest) + "\n", encoding="utf-8")
    pip_install("--quiet", "--no-deps", "--requirement", str(listed))
    # The germline command: the checkout itself, so that an edit is there at once.
    pip_install("--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")


if __name__ == "__main__":
    main()
