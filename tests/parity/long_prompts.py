"""Tasks whose prompts end before, at and after the end of a short context, token by token."""

import json
from pathlib import Path
from typing import Any

from tests.parity.kinds_of_task import CHOICE, KINDS, WORDS, WRITTEN, written_file

CONTEXT = 24  # tokens
NUM_DOCS = 40
LONG = {"doc_to_text": "{{q}}"}
LETTERS = CHOICE | LONG | {"doc_to_choice": ["a", "b", "c"], "doc_to_target": "kind"}
TASKS: dict[str, dict[str, Any]] = {
    "cut_letters": LETTERS | {"target_delimiter": ""},  # one token each: they share a context
    "cut_spaced_letters": LETTERS,
    "cut_texts": CHOICE | LONG,
    "cut_mutual": KINDS["choice_mutual"] | LONG,  # and without any context
    "cut_inputs": KINDS["choice_inputs"],
    "cut_nothing_before": CHOICE | {"doc_to_text": "", "target_delimiter": ""},
    "cut_said": KINDS["said"] | LONG,
    "cut_said_letter": KINDS["said"]
    | LONG
    | {"doc_to_target": "{{a[0]}}", "target_delimiter": ""},
    "cut_shown": KINDS["choice_shown"] | LONG,
    "cut_rolled": KINDS["rolled_bytes"],
    "cut_written": WRITTEN | LONG,
    "cut_written_shown": KINDS["written_shown"] | LONG,
    "cut_written_started": KINDS["written_started"] | LONG,
    "cut_written_all": WRITTEN
    | LONG
    | {"generation_kwargs": {"max_gen_toks": CONTEXT - 1, "until": []}},
    "cut_written_penalty": KINDS["written_penalty"] | LONG,
}


def write_long_prompts(folder: Path) -> list[str]:
    """Write tasks and data below ``folder``; return the texts that they hold."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "data").mkdir()
    texts = []
    for split, first in (("test", 0), ("train", 100)):
        rows = [_document(first + i, i) for i in range(NUM_DOCS)]
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"data/{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        texts += lines
    for name, config in TASKS.items():
        (folder / f"tasks/{name}.yaml").write_text(written_file(name, config), encoding="utf-8")
    functions = "def which(doc):\n    return doc['gold']\n\n\n"
    functions += "def inputs(doc):\n    return [f\"{doc['q']} {c}\" for c in doc['choices']]\n"
    (folder / "tasks/scoring.py").write_text(functions, encoding="utf-8")
    return texts


def _document(number: int, length: int) -> dict[str, Any]:
    """Return a document with a prompt of about ``length`` tokens; the next one has one more.

    No prompt is the start of a choice: there lm_eval scores at the wrong tokens (docs/tasks.md).
    """
    words = [WORDS[(number + i) % len(WORDS)] for i in range(6)]
    return {
        "id": number,
        "q": "!" + (" ?" * length)[:length],
        "choices": [" ".join(words[i : i + 1 + i]) for i in range(3)],
        "gold": number % 3,
        "kind": number % 3,
        "a": " ".join(words[: 1 + number % 4]),
        "text": " ".join(words * (1 + length // 3)),
    }
