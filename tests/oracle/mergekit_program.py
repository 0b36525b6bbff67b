"""Runs under the oracle's Python: carries out MergeKit merges, one for each line of its input.

A line is {"config": {...}, "out": folder, "seed": number or null}; the answer is {"seconds": ...},
or {"error": ...} where MergeKit ends with a traceback. Only the merge is timed, not the imports.
With "choices" MergeKit makes those of that file (settled_choices.py), and writes the chances of
its draws to "chances".
"""

import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"


def main() -> None:
    """Answer each line; what MergeKit prints goes to the standard error."""
    config = importlib.import_module("mergekit.config")
    merge = importlib.import_module("mergekit.merge")
    options = importlib.import_module("mergekit.options")
    answers = sys.stdout
    answers.write("{}\n")  # ready: the imports are done
    answers.flush()
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            job = json.loads(line)
            try:
                recipe = config.MergeConfiguration.model_validate(job["config"])
                merge_options = options.MergeOptions(
                    copy_tokenizer=False, quiet=True, random_seed=job.get("seed")
                )
                start = time.perf_counter()
                # It sets the random seed, as MergeKit's own command does.
                merge_options.apply_global_options()
                with _choices(job):
                    merge.run_merge(recipe, job["out"], options=merge_options)
                answer: dict[str, object] = {"seconds": time.perf_counter() - start}
            except Exception as error:  # noqa: BLE001 -- whatever MergeKit ends with is the answer
                answer = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


@contextlib.contextmanager
def _choices(job: dict[str, Any]) -> Iterator[None]:
    if "choices" not in job:
        yield
        return
    choices = importlib.import_module("settled_choices").SettledChoices(job["choices"])
    with choices.take_effect():
        yield
    importlib.import_module("safetensors.torch").save_file(choices.chances, job["chances"])


if __name__ == "__main__":
    main()
