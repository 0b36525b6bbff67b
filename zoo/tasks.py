"""Write the tasks of the zoo as lm-eval takes them: ``python -m zoo.tasks`` fills data/tasks/.

Every item was held back from all training, and no item occurs twice.
"""

import json
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from stages.seeds import key
from zoo.skills import Example, arithmetic, sorting
from zoo.sums import held_back_sum
from zoo.words import LIMIT, NUMBERS

OUT = Path("data/tasks")
NUM_ITEMS = 800
MAX_ANSWER_TOKENS = 16  # four numbers of three words, three commas, the end

TASKS: dict[str, Callable[[random.Random], Example]] = {
    "spanish_arithmetic": partial(arithmetic, lang="es", held_back=True),
    "english_arithmetic": partial(arithmetic, lang="en", held_back=True),
    "english_sorting": partial(sorting, lang="en", held_back=True),
}
SUMS: dict[str, Callable[[random.Random], tuple[Example, str]]] = {
    "spanish_sums": partial(held_back_sum, lang="es", num_steps=1),
    "english_two_steps": partial(held_back_sum, lang="en", num_steps=2),
    "spanish_two_steps": partial(held_back_sum, lang="es", num_steps=2),
}
CHOSEN = ("english_arithmetic",)  # multiple choice; the others are generated

_GENERATED = {
    "output_type": "generate_until",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"do_sample": False, "max_gen_toks": MAX_ANSWER_TOKENS, "until": ["\n"]},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
_CHOSEN = {
    "output_type": "multiple_choice",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{choices.index(answer)}}",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}


def config(name: str) -> dict[str, Any]:
    """Return the lm-eval task config of ``name``."""
    form: Mapping[str, Any] = _CHOSEN if name in CHOSEN else _GENERATED
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{OUT.as_posix()}/{name}.jsonl"}},
        "test_split": "test",
        "doc_to_text": "{{question}}",
        **form,
        "metadata": {"version": 1},
    }


def items(name: str) -> list[dict[str, Any]]:
    """Return ``NUM_ITEMS`` different items of ``name``."""
    rng = random.Random(key("zoo", "task", name))
    by_question: dict[str, dict[str, Any]] = {}
    while len(by_question) < NUM_ITEMS:
        example, twins = SUMS[name](rng) if name in SUMS else (TASKS[name](rng), None)
        item: dict[str, Any] = {"question": example.question, "answer": example.answer}
        if name in CHOSEN:
            item["choices"] = _choices(rng, example.answer)
        if twins is not None:
            item["twins"] = twins
        by_question[example.question] = item
    return list(by_question.values())


def _choices(rng: random.Random, answer: str) -> list[str]:
    """Return the answer among its neighbours, by one and by ten, in any order."""
    words = NUMBERS["en"]
    right = words.index(answer)
    choices = [words[(right + step) % LIMIT] for step in (0, 1, -1, 10)]
    rng.shuffle(choices)
    return choices


def run(out: Path) -> None:
    """Write every task's config and items to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (*TASKS, *SUMS):
        text = yaml.safe_dump(config(name), sort_keys=False, allow_unicode=True)
        (out / f"{name}.yaml").write_text(text, encoding="utf-8")
        lines = [json.dumps(item, ensure_ascii=False, sort_keys=True) for item in items(name)]
        (out / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(OUT)
