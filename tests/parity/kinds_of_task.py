"""Tasks of every kind that lm-eval knows, over a dozen documents each."""

import json
import random
import re
from pathlib import Path
from typing import Any

import yaml

WORDS = [
    *("red", "green", "blue", "dog", "cat", "weight", "model", "task", "merge", "über", "straße"),
    *("señor", "naïve", "你好", "😀", "one", "two", "three", "four"),
]
NUM_DOCS = 8


def _sentence(draw: random.Random, least: int, most: int) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))


def documents(seed: int, count: int = NUM_DOCS) -> list[dict[str, Any]]:
    """Return documents with everything that the tasks below ask for."""
    draw = random.Random(seed)
    rows = []
    for i in range(count):
        choices = [_sentence(draw, 1, 5) for _ in range(draw.randint(2, 4))]
        rows.append(
            {
                "id": i,
                "q": f"{i}: {_sentence(draw, 1, 25)}",
                "choices": [f"{n} {choice}" for n, choice in enumerate(choices)],
                "gold": draw.randrange(len(choices)),
                "a": _sentence(draw, 1, 3),
                "answers": [_sentence(draw, 1, 2), draw.choice("aeiou")],
                "text": _sentence(draw, 1, 60) if i else "".join(draw.choices("abc é", k=400)),
                "kind": i % 3,
            }
        )
    # Longer than the models' context, so that it is read in windows.
    rows[-1]["text"] = _sentence(draw, 400, 400)
    return rows


def _metric(name: str, **more: Any) -> dict[str, Any]:
    return {"metric": name, "aggregation": "mean", "higher_is_better": True} | more


def _perplexity(name: str, aggregation: str) -> list[dict[str, Any]]:
    return [{"metric": name, "aggregation": aggregation, "higher_is_better": False}]


CHOICE = {
    "output_type": "multiple_choice",
    "doc_to_text": "Q: {{q}}\nA:",
    "doc_to_choice": "choices",
    "doc_to_target": "gold",
    "metric_list": [_metric("acc"), _metric("acc_norm")],
}
WRITTEN = {
    "output_type": "generate_until",
    "doc_to_text": "Q: {{q}}\nA:",
    "doc_to_target": "a",
    "generation_kwargs": {"until": ["\n", "e", "Q:"], "max_gen_toks": 12, "do_sample": False},
    "metric_list": [_metric("exact_match", ignore_case=True)],
}
ROLLED = {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "text"}
GENERATES = {"max_gen_toks": 10, "do_sample": False}
EXAMPLES = {"training_split": "train", "fewshot_split": "train", "num_fewshot": 2}
FIRST = {"function": "take_first"}
OWN = {"process_results": "!function scoring.own", "metric_list": [_metric("own")]}
KINDS: dict[str, dict[str, Any]] = {
    "choice_letters": CHOICE
    | {"doc_to_choice": ["A", "B", "C", "D"], "doc_to_target": "{{['A', 'B'][kind % 2]}}"},
    "choice_texts": CHOICE,
    "choice_by_length": CHOICE | {"metric_list": [_metric("acc_norm")]},
    "choice_shown": CHOICE | EXAMPLES | {"description": "Choose.\n\n", "target_delimiter": ""},
    "choice_mutual": CHOICE | {"metric_list": [_metric("acc_mutual_info")]},
    "choice_inputs": CHOICE
    | {
        "doc_to_text": "!function scoring.which",
        "doc_to_choice": "!function scoring.inputs",
        "doc_to_target": "a",
    },
    "choice_brier": CHOICE
    | {
        "doc_to_choice": ["A", "B", "C", "D"],
        "doc_to_target": "kind",
        "metric_list": [_metric("brier_score", aggregation="brier_score", higher_is_better=False)],
    },
    "choice_counts": CHOICE
    | {
        "process_results": "!function scoring.choice_counts",
        "metric_list": [_metric("ratio", aggregation="!function scoring.ratio")],
    },
    "choice_python": CHOICE | OWN,
    "said": {
        "output_type": "loglikelihood",
        "doc_to_text": "{{q}}",
        "doc_to_target": " {{a}}",
        "metric_list": [
            _metric("perplexity", aggregation="perplexity", higher_is_better=False),
            _metric("acc"),
        ],
    },
    "rolled_words": ROLLED
    | {"metric_list": _perplexity("word_perplexity", "weighted_perplexity")},
    "rolled_bytes": ROLLED
    | {"metric_list": _perplexity("byte_perplexity", "weighted_perplexity")},
    "rolled_bits": ROLLED | {"metric_list": _perplexity("bits_per_byte", "bits_per_byte")},
    "written": WRITTEN,
    "written_overlapping": WRITTEN
    | {"generation_kwargs": GENERATES | {"until": ["\nQ:", "\n", "ab", "a"]}},
    "written_empty_stop": WRITTEN | {"generation_kwargs": GENERATES | {"until": [""]}},
    "written_to_the_end": WRITTEN | {"generation_kwargs": GENERATES | {"until": []}},
    "written_text_stop": WRITTEN | {"generation_kwargs": GENERATES | {"until": "o"}},
    "written_special_stop": WRITTEN
    | {"generation_kwargs": GENERATES | {"until": ["<eos>", "<pad>"]}},
    "written_no_arguments": {k: v for k, v in WRITTEN.items() if k != "generation_kwargs"}
    | {"generation_kwargs": {"max_gen_toks": 6}},
    "written_beams": WRITTEN
    | {"generation_kwargs": GENERATES | {"until": ["\n"], "num_beams": 2}},
    "written_penalty": WRITTEN
    | {"generation_kwargs": GENERATES | {"until": ["\n"], "repetition_penalty": 1.5}},
    "written_shown": WRITTEN | EXAMPLES | {"fewshot_delimiter": "\n---\n"},
    "written_first_shown": WRITTEN
    | EXAMPLES
    | {"fewshot_config": {"sampler": "first_n"}, "num_fewshot": 3},
    "written_started": WRITTEN | {"gen_prefix": "The answer is"},
    "written_targets": WRITTEN
    | {
        "doc_to_target": "answers",
        "metric_list": [_metric("exact_match", ignore_case=True, ignore_punctuation=True)],
    },
    "written_filters": WRITTEN
    | {
        "filter_list": [
            {
                "name": "letter",
                "filter": [
                    {"function": "regex", "regex_pattern": "([a-z])", "group_select": 0},
                    {"function": "lowercase"},
                    FIRST,
                ],
            },
            {"name": "plain", "filter": [FIRST]},
        ]
    },
    "written_repeated": WRITTEN
    | {
        "repeats": 3,
        "filter_list": [{"name": "vote", "filter": [{"function": "majority_vote"}, FIRST]}],
    },
    "written_some_repeated": WRITTEN
    | {
        "repeats": 3,
        "filter_list": [
            {
                "name": "two",
                "filter": [
                    {"function": "take_first_k", "k": 2},
                    {"function": "majority_vote"},
                    FIRST,
                ],
            }
        ],
    },
    "written_own_filter": WRITTEN
    | {
        "filter_list": [
            {
                "name": "own",
                "filter": [
                    {"function": "custom", "filter_fn": "!function scoring.own_filter"},
                    FIRST,
                ],
            }
        ]
    },
    "written_python": WRITTEN | OWN,
    "written_ratio": WRITTEN
    | {
        "process_results": "!function scoring.counts",
        "metric_list": [_metric("ratio", aggregation="!function scoring.ratio")],
    },
    "written_lists": WRITTEN
    | {
        "process_results": "!function scoring.listed",
        "metric_list": [_metric("own", aggregation="!function scoring.mean_of_lists")],
    },
    "written_bleu": WRITTEN | {"metric_list": [_metric("chrf", aggregation="chrf")]},
    "written_documents": WRITTEN
    | {"process_docs": "!function scoring.some_documents", "doc_to_text": "{{shown}}"},
    "written_functions": WRITTEN
    | {"doc_to_text": "!function scoring.text", "doc_to_target": "!function scoring.target"},
    "written_own_metric": WRITTEN
    | {"metric_list": [_metric("!function scoring.agreement", aggregation="mean")]},
}
# Tasks that draw: under lm_eval each has its own prompts only when it runs alone.
DRAWING: dict[str, dict[str, Any]] = {
    "draws_text": CHOICE | {"doc_to_text": "!function drawing.text"},
    "draws_documents": CHOICE | {"process_docs": "!function drawing.shuffled"},
    "draws_in_template": WRITTEN | {"doc_to_text": "{{q}} {{ ['a', 'b', 'c'] | random }}"},
    "draws_while_scoring": WRITTEN
    | {"process_results": "!function drawing.score", "metric_list": [_metric("own")]},
}
SCORING = '''
"""What the tasks call."""
import json
from pathlib import Path

from helpers.values import WORTH

EXTRA = json.loads((Path(__file__).parent / "extra.json").read_text())


def own(doc, results):
    said = results[0] if isinstance(results[0], str) else str([greedy for _, greedy in results])
    worth = sum(ord(c) * (i + 1) for i, c in enumerate(said)) % 101
    gold = doc["answers"].pop()
    return {"own": (worth + WORTH + EXTRA["more"] + len(gold)) / 7}


def counts(doc, results):
    return {"ratio": (len(str(results[0])), doc["kind"])}


def choice_counts(doc, results):
    return {"ratio": (sum(is_greedy for _, is_greedy in results) - results[0][0], doc["kind"])}


def ratio(items):
    return sum(said for said, _ in items) / sum(wanted for _, wanted in items)


def listed(doc, results):
    return {"own": [float(len(word)) for word in str(results[0]).split()]}


def mean_of_lists(items):
    values = [value for item in items for value in item]
    return sum(values) / max(1, len(values))


def which(doc):
    return doc["gold"]


def inputs(doc):
    return [f"{doc['q']} {choice}" for choice in doc["choices"]]


def own_filter(resps, docs):
    pairs = zip(resps, docs)
    return [[text.strip()[:3] + str(doc["kind"]) for text in said] for said, doc in pairs]


def some_documents(dataset):
    def shown(doc):
        return {**doc, "shown": "Say: " + doc["q"][:20]}
    return dataset.filter(lambda doc: doc["kind"] != 1).map(shown)


def text(doc):
    doc["seen"] = True
    return "Tell me: " + doc["q"]


def target(doc):
    return doc["answers"].pop()


def agreement(predictions, references, **_):
    return float(len(predictions[0]) > len(references[0]))
'''
DRAWN = '''
"""Draws as published tasks do."""
import random

import numpy as np


def text(doc):
    return doc["q"] + random.choice([" ?", " !", " ..."])


def shuffled(dataset):
    def mixed(doc):
        order = list(range(len(doc["choices"])))
        random.shuffle(order)
        choices = [doc["choices"][i] for i in order]
        return {**doc, "choices": choices, "gold": order.index(doc["gold"])}
    return dataset.map(mixed)


def score(doc, results):
    return {"own": len(results[0]) + float(np.random.rand()) + random.random()}
'''


def write_tasks(folder: Path) -> list[str]:
    """Write tasks and data below ``folder``; return the texts that they hold."""
    tasks, data = folder / "tasks", folder / "data"
    (tasks / "helpers").mkdir(parents=True)
    data.mkdir()
    texts = []
    for seed, split in enumerate(("test", "train")):
        lines = [json.dumps(row, ensure_ascii=False) for row in documents(seed)]
        (data / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        texts += lines
    for name, config in (KINDS | DRAWING).items():
        (tasks / f"{name}.yaml").write_text(written_file(name, config), encoding="utf-8")
    header = (
        "import sys\nfrom pathlib import Path\n\nsys.path.insert(0, str(Path(__file__).parent))\n"
    )
    (tasks / "scoring.py").write_text(header + SCORING, encoding="utf-8")
    (tasks / "drawing.py").write_text(DRAWN, encoding="utf-8")
    (tasks / "helpers" / "values.py").write_text("WORTH = 3\n")
    (tasks / "extra.json").write_text('{"more": 4}')
    return texts


def written_file(name: str, config: dict[str, Any]) -> str:
    """Return the YAML of a task on the data."""
    return _text_of(
        {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {
                "data_files": {split: f"data/{split}.jsonl" for split in ("test", "train")}
            },
            "test_split": "test",
            **config,
        }
    )


def _text_of(config: dict[str, Any]) -> str:
    """Return a task's YAML, with ``!function`` as a tag and not as text."""
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=10_000)
    return re.sub(r"'(!function [\w.]+)'", r"\1", text)
