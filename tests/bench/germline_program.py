"""Carries out our merges, one for each line of its input, as mergekit_program.py does MergeKit's.

A line is {"recipe": {...}, "base": folder or null, "parents": folders, "out": folder}, or
{"copy": files, "out": file} for a plain copy: read all files, write the bytes of one. The answer
is {"seconds": ...}.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from stages.merge.stage import run
from stages.recipe.recipe import Recipe

BLOCK = 1 << 20
SHARD_BYTES = 5 * 10**9  # MergeKit's default


def copy(sources: list[str], out: str) -> None:
    """Read every file through one buffer and write the bytes of the last, as a merge must."""
    buffer = memoryview(bytearray(BLOCK))
    with Path(out).open("wb", buffering=0) as target:
        for source in sources:
            with Path(source).open("rb", buffering=0) as file:
                while size := file.readinto(buffer):
                    if source == sources[-1]:
                        target.write(buffer[:size])
        os.fsync(target.fileno())  # so does a merge: what it publishes is on the disk


def answer(job: dict[str, Any]) -> float:
    """Do a job and return the seconds that it took."""
    start = time.perf_counter()
    if "copy" in job:
        copy(job["copy"], job["out"])
    else:
        folders = [Path(folder) for folder in job["models"]]
        run(Recipe.from_dict(job["recipe"]), folders, Path(job["out"]), shard_bytes=SHARD_BYTES)
    return time.perf_counter() - start


def main() -> None:
    """Answer each line."""
    sys.stdout.write("{}\n")  # ready: the imports are done
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps({"seconds": answer(json.loads(line))}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
