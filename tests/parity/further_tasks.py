"""More tasks of the kinds that published ones are of, with what no other file here has."""

import json
from pathlib import Path
from typing import Any

import datasets

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

SAID = {"output_type": "loglikelihood", "doc_to_text": "{{q}}", "doc_to_target": " {{a}}"}


def _own(name: str, **more: Any) -> dict[str, Any]:
    return {
        "process_results": f"!function further.{name}",
        "metric_list": [_metric("own", **more)],
    }


def _filtered(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"filter_list": [{"name": "own", "filter": [*steps]}]}


def _shown(**config: Any) -> dict[str, Any]:
    return EXAMPLES | {"fewshot_config": config}


FURTHER: dict[str, dict[str, Any]] = {
    # Scored by Python, of every output type.
    "more_said_own": SAID | _own("of_likelihood"),
    "more_said_shown": SAID
    | EXAMPLES
    | {"metric_list": [_metric("acc")], "description": "Say.\n"},
    "more_rolled_own": ROLLED | _own("of_text"),
    "more_rolled_prompt": ROLLED
    | {
        "doc_to_text": "{{q}}",
        "metric_list": [_metric("byte_perplexity", aggregation="weighted_perplexity")],
    },
    "more_choice_rank": CHOICE | _own("rank"),
    "more_choice_margin": CHOICE | _own("margin", aggregation="median"),
    "more_choice_negated": CHOICE | {"metric_list": [_metric("acc", higher_is_better=False)]},
    "more_written_pairs": WRITTEN | _own("pair", aggregation="!function further.harmonic"),
    "more_written_worst": WRITTEN | _own("length", aggregation="!function builtins.min"),
    "more_written_groups": WRITTEN
    | _own("by_kind", aggregation="!function further.mean_of_kinds"),
    "more_written_bool": WRITTEN | _own("is_long"),
    "more_written_numpy": WRITTEN | _own("as_numpy"),
    # Metrics.
    "more_ter": WRITTEN | {"metric_list": [_metric("ter", aggregation="ter")]},
    "more_whole_match": WRITTEN
    | {
        "doc_to_target": "{{a}} {{answers[1]}}",
        "metric_list": [_metric("exact_match", regexes_to_ignore=["\\s+", "(?s)[a-m]"])],
    },
    "more_any_answer": WRITTEN
    | {"doc_to_target": "answers", "metric_list": [_metric("!function further.starts_alike")]},
    "more_two_metrics": WRITTEN
    | {"metric_list": [_metric("!function further.starts_alike"), _metric("exact_match")]},
    "more_f1_of_letters": CHOICE
    | {
        "doc_to_choice": ["no", "yes"],
        "doc_to_target": "{{1 if kind == 2 else 0}}",
        "metric_list": [_metric("f1", aggregation="!function further.weighted_f1")],
    },
    # Filters.
    "more_filter_chain": WRITTEN
    | _filtered(
        {"function": "regex", "regex_pattern": "[a-z]+", "group_select": -1, "fallback": "NONE"},
        {"function": "uppercase"},
        {"function": "map", "mapping_dict": {"NONE": "red"}, "default_value": "blue"},
        FIRST,
    ),
    "more_filter_groups": WRITTEN
    | _filtered({"function": "regex", "regex_pattern": "(\\w)(\\w)", "group_select": -1}, FIRST),
    "more_filter_class": WRITTEN
    | _filtered({"function": "further_reversed", "least": 2}, FIRST)
    | {"doc_to_target": "!function further.joined"},
    "more_filter_vote": WRITTEN
    | {"repeats": 5}
    | _filtered({"function": "take_first_k", "k": 3}, {"function": "majority_vote"}, FIRST),
    # Examples.
    "more_shown_first": CHOICE | _shown(sampler="first_n", doc_to_text="Shown: {{q[:9]}}"),
    "more_shown_class": CHOICE
    | _shown(sampler="further_last")
    | {"num_fewshot": 3, "doc_to_choice": "!function further.upper"},
    "more_shown_test": WRITTEN | {"fewshot_split": "test", "num_fewshot": 2},
    "more_shown_validation": WRITTEN
    | {"validation_split": "train", "fewshot_split": "train", "num_fewshot": 1},
    "more_shown_prefixed": WRITTEN | EXAMPLES | {"gen_prefix": "So:", "description": "{{kind}}. "},
    "more_shown_delimited": CHOICE
    | EXAMPLES
    | {
        "fewshot_delimiter": "\t",
        "target_delimiter": "\n\n",
        "doc_to_choice": "!function further.upper",
    },
    "more_shown_targets": WRITTEN
    | EXAMPLES
    | {"doc_to_target": "!function further.joined", "doc_to_text": "!function further.asked"},
    # Templates, prompts.
    "more_template_loop": WRITTEN
    | {
        "doc_to_text": "{%- set n = namespace(v=0) -%}{% for c in choices if c != choices[gold] %}"
        "{% set n.v = n.v + 1 %}{{n.v}}. {{c|title}}; {% endfor %}{{ q|wordcount }}"
    },
    "more_template_macro": CHOICE
    | {"doc_to_text": "{% macro m(x) %}<{{x}}>{% endmacro %}{{ m(q) }}{{ m(a|reverse) }}"},
    "more_template_choice": CHOICE
    | {"doc_to_choice": "{{ [answers[0], answers[1], a]|unique|list }}", "doc_to_target": 0},
    "more_list_description": CHOICE | {"description": "{{q.split(':')[0]}} of many.\n"},
    "more_inputs_rendered": CHOICE
    | {
        "doc_to_text": "{{gold}}",
        "doc_to_choice": "{{ choices | map('replace', ' ', '_') | list }}",
        "doc_to_target": "{{a}}",
    },
    # Stops and lengths.
    "more_stop_prompt": WRITTEN | {"generation_kwargs": GENERATES | {"until": ["Q:", "A:", "\n"]}},
    "more_stop_unicode": WRITTEN
    | {"generation_kwargs": GENERATES | {"until": ["ß", "ü", "é", "😀", "\u00a0"]}},
    "more_one_token": WRITTEN | {"generation_kwargs": {"until": ["\n"], "max_gen_toks": 1}},
    "more_ngrams": WRITTEN
    | {"generation_kwargs": GENERATES | {"until": ["\n"], "no_repeat_ngram_size": 1}},
    "more_banned": WRITTEN
    | {"generation_kwargs": GENERATES | {"until": ["\n"], "bad_words_ids": [[40], [41, 42]]}},
    # Data and files.
    "more_csv": WRITTEN | {"dataset_path": "csv", "files": "data/more.csv"},
    "more_json_list": CHOICE | {"files": "data/more.json"},
    "more_parquet_shards": CHOICE
    | {"dataset_path": "parquet", "files": ["data/more_0.parquet", "data/more_1.parquet"]},
    "more_text": ROLLED
    | {
        "dataset_path": "text",
        "files": "data/more.txt",
        "doc_to_target": "{{text|upper}}",
        "metric_list": [_metric("word_perplexity", aggregation="weighted_perplexity")],
    },
    "more_documents": CHOICE | {"process_docs": "!function further.sorted_documents"},
    "more_included": {"include": "further_base.yaml", "description": "Included.\n"},
    "more_included_twice": {"include": "further_middle.yaml", "doc_to_text": "{{q}}?"},
    "more_metadata": CHOICE | {"metadata": {"version": "1.2", "note": [1, {"a": None}]}},
}
PYTHON = '''
"""What the further tasks call."""
import math
from collections import Counter, defaultdict

import numpy as np
from lm_eval.api.filter import Filter
from lm_eval.api.registry import register_filter
from lm_eval.api.samplers import SAMPLER_REGISTRY, ContextSampler


@register_filter("further_reversed")
class Reversed(Filter):
    def __init__(self, least=1):
        self.least = least

    def apply(self, resps, docs):
        return [[t[::-1] if len(t) >= self.least else "" for t in said] for said in resps]


class Last(ContextSampler):
    def sample(self, n, eval_doc=None, df=None, **_):
        return list(self.df)[-n:]


SAMPLER_REGISTRY["further_last"] = Last


def of_likelihood(doc, results):
    likelihood, is_greedy = results[0] if isinstance(results[0], tuple) else results
    return {"own": math.tanh(likelihood / 50) + is_greedy * (1 + doc["kind"])}


def of_text(doc, results):
    return {"own": results[0] / max(1, len(doc["text"].split()))}


def rank(doc, results):
    order = sorted(range(len(results)), key=lambda i: -results[i][0])
    return {"own": 1 / (1 + order.index(doc["gold"]))}


def margin(doc, results):
    likelihoods = np.array([likelihood for likelihood, _ in results])
    return {"own": float(np.ptp(likelihoods))}


def pair(doc, results):
    words = Counter(results[0].split())
    wanted = Counter(doc["q"].split())
    hits = sum((words & wanted).values())
    return {"own": (hits, sum(words.values()), sum(wanted.values()))}


def harmonic(items):
    hits, said, wanted = map(sum, zip(*items))
    return 2 * hits / max(1, said + wanted)


def length(doc, results):
    return {"own": len(results[0]) + doc["kind"] / 10}


def by_kind(doc, results):
    return {"own": {"kind": doc["kind"], "value": float(len(results[0]) % 3)}}


def mean_of_kinds(items):
    kinds = defaultdict(list)
    for item in items:
        kinds[item["kind"]].append(item["value"])
    return float(np.mean([np.mean(values) for values in kinds.values()]))


def is_long(doc, results):
    return {"own": len(results[0]) > 12}


def as_numpy(doc, results):
    return {"own": np.float32(len(results[0])) / np.float32(3)}


def starts_alike(predictions=None, references=None, **_):
    wanted = references[0] if isinstance(references[0], list) else references
    return float(any(str(one)[:1] == predictions[0].strip()[:1] for one in wanted))


def weighted_f1(items):
    golds, said = zip(*items)
    hits = sum(g == s for g, s in zip(golds, said))
    return hits / len(golds) + 0.5 * sum(said) / len(said)


def upper(doc):
    return [choice.upper() for choice in doc["choices"]]


def joined(doc):
    return " and ".join(doc["answers"])


def asked(doc):
    doc["q"] = doc["q"].upper()
    return f"{doc['id']}. {doc['q']} ({', '.join(doc['choices'])})"


def sorted_documents(dataset):
    return dataset.sort("q", reverse=True).select(range(5)).add_column("place", list(range(5)))
'''


def write_further_tasks(folder: Path) -> list[str]:
    """Write the tasks, their Python and their data below ``folder``; return the texts."""
    tasks, data = folder / "tasks", folder / "data"
    tasks.mkdir()
    data.mkdir()
    texts = []
    for seed, split in enumerate(("test", "train"), start=31):
        rows = documents(seed)
        rows[-1]["text"] = rows[-1]["text"][:700]
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (data / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        texts += lines
    table = datasets.Dataset.from_list(rows := documents(33))
    for i in range(2):
        table.select(range(4 * i, 4 * i + 4)).to_parquet(data / f"more_{i}.parquet")
    table.select_columns(["id", "q", "a", "kind"]).to_csv(data / "more.csv", index=False)
    (data / "more.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    said = "".join(f"{row['q']}\n" for row in rows)
    (data / "more.txt").write_text(said, encoding="utf-8")
    (tasks / "further.py").write_text(PYTHON, encoding="utf-8")
    files = {split: f"data/{split}.jsonl" for split in ("test", "train")}
    data_keys = {"dataset_path": "json", "dataset_kwargs": {"data_files": files}}
    common: dict[str, Any] = data_keys | {"test_split": "test"}
    bases: dict[str, Any] = {"base": common | CHOICE, "middle": {"include": "further_base.yaml"}}
    for name, config in bases.items():
        (tasks / f"further_{name}.yaml").write_text(_text_of(config), encoding="utf-8")
    for name, config in FURTHER.items():
        whole = {"task": name} | ({} if "include" in config else common) | config
        if "files" in whole:
            whole["dataset_kwargs"] = {"data_files": {"test": whole.pop("files")}}
        (tasks / f"{name}.yaml").write_text(_text_of(whole), encoding="utf-8")
    return texts
