"""Tasks in forms that are legal in lm-eval and rarer than those of kinds_of_task.py."""

import json
from pathlib import Path
from typing import Any

from tests.parity.kinds_of_task import (
    CHOICE,
    EXAMPLES,
    FIRST,
    GENERATES,
    ROLLED,
    WRITTEN,
    _metric,
    _text_of,
    documents,
)

INLINE = [
    {"q": "one?", "choices": ["0 a", "1 b"], "gold": 1, "a": "x", "kind": 0},
    {"q": "two?", "choices": ["0 c", "1 d"], "gold": 0, "a": "y", "kind": 1},
]
SHOWN_OTHERWISE = {
    "sampler": "first_n",
    "target_delimiter": " => ",
    "doc_to_text": "E: {{q}}",
    "doc_to_choice": "choices",
    "doc_to_target": "gold",
    "fewshot_delimiter": "\n@@\n",
}
RARER: dict[str, dict[str, Any]] = {
    # Targets and choices.
    "rare_golds": CHOICE | {"doc_to_target": "golds"},
    "rare_golds_rendered": CHOICE
    | {"doc_to_target": "{{[gold, 0]}}", "metric_list": [_metric("exact_match")]},
    "rare_f1": CHOICE
    | {
        "doc_to_choice": {"a": "yes", "b": "no"},
        "doc_to_target": "{{kind % 2}}",
        "metric_list": [_metric("f1", aggregation="f1")],
    },
    "rare_likelihood": CHOICE
    | {"metric_list": [_metric("likelihood", aggregation="!function rarer.likely")]},
    "rare_choices_rendered": CHOICE
    | {
        "doc_to_text": "q",
        "doc_to_choice": "{{choices | map('upper') | list}}",
        "doc_to_target": "{{choices[gold] | upper}}",
    },
    "rare_delimiter": CHOICE | {"target_delimiter": "\n=> ", "doc_to_text": "{{q}} "},
    "rare_no_context": CHOICE | {"target_delimiter": "", "doc_to_text": ""},
    "rare_prefix": CHOICE | {"gen_prefix": "{{a}} is", "description": "On {{kind}}:\n"},
    "rare_default_metrics": {k: v for k, v in CHOICE.items() if k != "metric_list"},
    "rare_decontaminated": CHOICE
    | {"should_decontaminate": True, "doc_to_decontamination_query": "q"},
    # Examples.
    "rare_shown_otherwise": CHOICE | EXAMPLES | {"fewshot_config": SHOWN_OTHERWISE},
    "rare_shown_inline": CHOICE
    | {"num_fewshot": 2, "fewshot_config": {"sampler": "first_n", "samples": INLINE}},
    "rare_shown_by_function": WRITTEN
    | {"num_fewshot": 2, "fewshot_config": {"samples": "!function rarer.shots"}},
    "rare_shown_documents": CHOICE
    | EXAMPLES
    | {"fewshot_config": {"process_docs": "!function rarer.shown"}},
    # Texts.
    "rare_stops": WRITTEN
    | {
        "generation_kwargs": GENERATES
        | {"max_gen_toks": 40, "until": ["green dog", "n d", "ße", "\n\n", "og c", "好"]}
    },
    "rare_max_length": WRITTEN | {"generation_kwargs": {"until": ["\n"], "max_length": 200}},
    "rare_least_tokens": WRITTEN
    | {"generation_kwargs": GENERATES | {"until": ["\n", "a"], "min_new_tokens": 5}},
    "rare_suppressed": WRITTEN
    | {
        "generation_kwargs": GENERATES
        | {"until": ["\n"], "no_repeat_ngram_size": 2, "suppress_tokens": [70, 71, 72]}
    },
    "rare_long_beams": WRITTEN
    | {
        "generation_kwargs": GENERATES
        | {"until": ["\n"], "num_beams": 3, "length_penalty": 2.0, "early_stopping": True}
    },
    "rare_vote": WRITTEN
    | {
        "repeats": 4,
        "filter_list": [
            {
                "name": "voted",
                "filter": [
                    {
                        "function": "regex",
                        "regex_pattern": "([a-z]+)|(\\d)",
                        "group_select": -1,
                        "fallback": "none",
                    },
                    {"function": "majority_vote"},
                    FIRST,
                ],
            }
        ],
    },
    "rare_map": WRITTEN
    | {
        "filter_list": [
            {
                "name": "mapped",
                "filter": [
                    {"function": "regex", "regex_pattern": "([aeiou])"},
                    {
                        "function": "map",
                        "mapping_dict": {"a": "one", "e": "two"},
                        "default_value": "three",
                    },
                    FIRST,
                ],
            }
        ]
    },
    "rare_written_choice": WRITTEN | {"doc_to_choice": "choices", "doc_to_target": "gold"},
    "rare_written_number": WRITTEN | {"doc_to_target": "kind"},
    "rare_bleu": WRITTEN | {"metric_list": [_metric("bleu", aggregation="bleu")]},
    "rare_registered": WRITTEN
    | {
        "process_results": "!function rarer.counted",
        "metric_list": [_metric("counted", aggregation="parity_median")],
    },
    # Texts read.
    "rare_rolled": ROLLED
    | {
        "process_results": "!function rarer.rolled",
        "metric_list": [
            _metric("bits", aggregation="!function rarer.weighted", higher_is_better=False)
        ],
    },
    # Python and data.
    "rare_deep": CHOICE
    | {"process_results": "!function rarer_deep.score", "metric_list": [_metric("deep")]},
    "rare_made_data": CHOICE
    | {
        "dataset_path": None,
        "custom_dataset": "!function rarer.documents",
        "dataset_kwargs": {"count": 6},
        "metadata": {"version": 2.0, "start": 2},
    },
}
PYTHON = '''
"""What the rarer tasks call."""
import json
import math
from pathlib import Path

import datasets
import numpy as np
from lm_eval.api.registry import register_aggregation


@register_aggregation("parity_median")
def parity_median(items):
    return sorted(items)[len(items) // 2]


def counted(doc, results):
    return {"counted": len(results[0]) * (1 + doc["kind"])}


def likely(items):
    return float(np.mean([np.exp(lls)[gold] for gold, lls in items]))


def shots():
    return [{"q": "one?", "a": "dog"}, {"q": "two?", "a": "cat"}]


def shown(dataset):
    kept = dataset.filter(lambda doc: doc["kind"] != 0)
    return kept.map(lambda doc: {"q": "SHOWN " + doc["q"]})


def rolled(doc, results):
    return {"bits": (results[0], len(doc["text"].encode()))}


def weighted(items):
    likelihoods, sizes = zip(*items)
    return -sum(likelihoods) / sum(sizes) / math.log(2)


def documents(count=2, start=0, **_):
    lines = Path("data/test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {"test": datasets.Dataset.from_list(rows[start:start + count])}
'''
MODULES = {
    "rarer.py": PYTHON,
    "rarer_deep.py": """
import os
import sys

sys.path.append(os.path.dirname(__file__))
from outer.middle import value


def score(doc, results):
    return {"deep": value(doc, [likelihood for likelihood, _ in results])}
""",
    "outer/__init__.py": "",
    "outer/middle.py": """
from .inner.bottom import POWER, table


def value(doc, likelihoods):
    return max(likelihoods) ** POWER + table()[str(doc["kind"])]
""",
    "outer/inner/__init__.py": "",
    "outer/inner/bottom.py": """
import json
import os

POWER = 2


def table():
    with open(os.path.join(os.path.dirname(__file__), "table.json")) as file:
        return json.load(file)
""",
    "outer/inner/table.json": '{"0": 1, "1": 10, "2": 100}',
}


def write_rarer_tasks(folder: Path) -> list[str]:
    """Write the tasks, their Python and their data below ``folder``; return the texts."""
    texts = []
    (folder / "data").mkdir(parents=True)
    for seed, split in enumerate(("test", "train"), start=11):
        rows = documents(seed)
        rows[-1]["text"] = rows[-1]["text"][:900]
        golds = [{"golds": sorted({row["gold"], 0})} for row in rows]
        pairs = zip(rows, golds, strict=True)
        lines = [json.dumps(row | gold, ensure_ascii=False) for row, gold in pairs]
        (folder / f"data/{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        texts += lines
    for name, text in MODULES.items():
        path = folder / "tasks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    files = {split: f"data/{split}.jsonl" for split in ("test", "train")}
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test"}
    for name, config in RARER.items():
        whole = {"task": name} | data | config
        whole = {key: value for key, value in whole.items() if value is not None}
        (folder / "tasks" / f"{name}.yaml").write_text(_text_of(whole), encoding="utf-8")
    return texts
