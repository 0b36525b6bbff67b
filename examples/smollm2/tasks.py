"""Write the tasks as lm-eval takes them: ``python -m examples.smollm2.tasks`` fills data/tasks.

Every item is about a sum that was held back from all training, and no item occurs twice.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from examples.smollm2.skills import Sum, Turn, asked, dictated, sums
from stages.files import write_whole

OUT = Path("data/tasks")
MAX_ANSWER_TOKENS = 8  # "25 - 24", where each digit and each space before a digit is a token

TASKS: dict[str, Callable[[Sum], Turn]] = {
    "spanish_sums": partial(asked, lang="es"),
    "english_sums": partial(asked, lang="en"),
    "spanish_dictation": dictated,
}


def config(name: str) -> dict[str, Any]:
    """Return the lm-eval task config of ``name``."""
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{OUT.as_posix()}/{name}.jsonl"}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {
            "do_sample": False,
            "max_gen_toks": MAX_ANSWER_TOKENS,
            "until": ["\n"],
        },
        "metric_list": [
            {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}
        ],
        "metadata": {"version": 1},
    }


def items(name: str) -> list[dict[str, str]]:
    """Return every item of ``name``."""
    turns = [TASKS[name](item) for item in sums(held_back=True)]
    return [{"question": turn.question, "answer": turn.answer} for turn in turns]


def run(out: Path = OUT) -> None:
    """Write every task's config and items to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    for name in TASKS:
        text = yaml.safe_dump(config(name), sort_keys=False, allow_unicode=True)
        lines = [json.dumps(item, ensure_ascii=False, sort_keys=True) for item in items(name)]
        for suffix, content in ((".yaml", text), (".jsonl", "\n".join(lines) + "\n")):
            write_whole(out / f"{name}{suffix}", content)


if __name__ == "__main__":
    run()
