"""More tasks as people write them: sources of data, sorts of answers, filters, odd texts."""

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
)

ODD_TEXTS = [
    *("", " ", "e\u0301 and \u00e9", "👩‍👩‍👧 and 🇪🇺", "one\ttwo\r\nthree", "a\u200bb\u00a0c"),
    *(
        "ends with space ",
        "\n\nstarts late",
        "ßẞ İı",
        "{{ q }} {% raw %} %}",
        "3.50",
        "<eos><pad>",
    ),
]


def documents(seed: int) -> list[dict[str, Any]]:
    """Return a document for each odd text."""
    rows = []
    for i, text in enumerate(ODD_TEXTS):
        letters = [chr(97 + (i * (n + seed) + n) % 26) * (n + 1) for n in range(3)]
        rows.append(
            {
                "id": i,
                "question": f"{seed + i}. {text}",
                "odd": text,
                "choices": letters,
                "a": letters[0],
                "b": f"{letters[1]} ",
                "label": "ABC"[i % 3],
                "number": 1 + i % 3,
                "is_true": i % 2 == 0,
                "sentence": f"The {letters[0]} saw _ and left.",
                "text": f"{text} {' '.join(letters)} " * (1 + i),
                "nested": {"deep": [{"value": letters[2]}]},
            }
        )
    return rows


def _filtered(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"filter_list": [{"name": "own", "filter": [*steps]}]}


ASKED = {"doc_to_text": "{{question}}\nAnswer:"}
CHOOSES = CHOICE | ASKED
WRITES = WRITTEN | ASKED | {"doc_to_target": "{{a}}"}
FORMS: dict[str, dict[str, Any]] = {
    # Choices and answers.
    "form_columns": CHOOSES | {"doc_to_choice": "{{[a, b, odd + '.']}}", "doc_to_target": 0},
    "form_letters": CHOOSES | {"doc_to_choice": ["A", "B", "C"], "doc_to_target": "label"},
    "form_digits": CHOOSES | {"doc_to_choice": ["1", "2", "3"], "doc_to_target": "{{number - 1}}"},
    "form_boolean": CHOOSES
    | {"doc_to_choice": ["no", "yes"], "doc_to_target": "{{is_true | int}}"},
    "form_equal_choices": CHOOSES
    | {"doc_to_choice": ["red", "red", "red dog"], "doc_to_target": "{{number - 1}}"},
    "form_spaces": CHOOSES | {"doc_to_choice": ["  a", "b  ", "\n", "c d"], "doc_to_target": 3},
    "form_all_metrics": CHOOSES
    | {
        "doc_to_choice": "choices",
        "doc_to_target": "{{number - 1}}",
        "metric_list": [_metric("acc_bytes"), _metric("acc"), _metric("acc_norm")],
    },
    "form_matthews": CHOOSES
    | {
        "doc_to_choice": ["no", "yes"],
        "doc_to_target": "{{is_true | int}}",
        "metric_list": [_metric("mcc", aggregation="matthews_corrcoef")],
    },
    "form_out_of_range": CHOOSES | {"doc_to_choice": "{{choices[:2]}}", "doc_to_target": "number"},
    "form_blank": CHOICE
    | {
        "doc_to_text": "!function forms.filled_in",
        "doc_to_target": "!function forms.after_blank",
        "doc_to_choice": "!function forms.before_blank",
    },
    "form_blank_shown": CHOICE
    | EXAMPLES
    | {
        "doc_to_text": "{{number - 1}}",
        "doc_to_target": "and left.",
        "doc_to_choice": "{{[a + ' saw', b + 'saw', 'nobody saw']}}",
        "fewshot_config": {"sampler": "first_n"},
    },
    "form_mutual_shown": CHOOSES
    | EXAMPLES
    | {
        "doc_to_target": "{{number - 1}}",
        "metric_list": [_metric("acc_mutual_info"), _metric("acc")],
    },
    "form_sensitive": CHOOSES
    | {"doc_to_target": "{{number - 1}}", "repeats": 2, **_filtered(FIRST)},
    # Where data come from.
    "form_csv": CHOOSES
    | {
        "dataset_path": "csv",
        "dataset_kwargs": {"data_files": {"test": "data/forms.csv"}},
        "doc_to_choice": ["A", "B", "C"],
        "doc_to_target": "label",
    },
    "form_parquet": CHOOSES
    | {
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {"test": "data/forms.parquet"}},
        "doc_to_target": "{{number - 1}}",
    },
    "form_folder": CHOOSES
    | {"dataset_path": "data/folder", "dataset_kwargs": None, "doc_to_target": "{{number - 1}}"},
    "form_lines": ROLLED
    | {
        "dataset_path": "text",
        "dataset_kwargs": {"data_files": {"test": "data/lines.txt"}},
        "metric_list": [
            _metric("byte_perplexity", aggregation="weighted_perplexity", higher_is_better=False)
        ],
    },
    "form_field": CHOOSES
    | {
        "dataset_kwargs": {"data_files": {"test": "data/inside.json"}, "field": "rows"},
        "doc_to_target": "{{number - 1}}",
    },
    "form_validation": CHOOSES
    | {"test_split": None, "validation_split": "test", "doc_to_target": "{{number - 1}}"},
    "form_shown_itself": CHOOSES
    | {"fewshot_split": "test", "num_fewshot": 3, "doc_to_target": "{{number - 1}}"},
    # Texts that are written.
    "form_nested": WRITES | {"doc_to_text": "{{nested.deep[0]['value'] * 3}}"},
    "form_jinja": WRITES
    | {
        "doc_to_text": "{% for c in choices %}{{loop.index}}) {{c|upper}}\n{% endfor %}"
        "{% if is_true %}yes{% else %}{{odd|trim|replace('a', 'o')}}{% endif %}"
        "{{question | regex_replace('[0-9]+', 'N')}}"
    },
    "form_literal": WRITES | {"doc_to_text": "question", "doc_to_target": "never written"},
    "form_odd": WRITES | {"doc_to_text": "odd.", "doc_to_target": "odd"},
    "form_matched": WRITES
    | {
        "metric_list": [
            _metric(
                "exact_match",
                ignore_case=True,
                ignore_punctuation=True,
                ignore_numbers=True,
                regexes_to_ignore=[",", "\\$", "[aeiou]"],
            )
        ],
        "doc_to_target": "{{label}}{{number}}!",
    },
    "form_last_match": WRITES
    | _filtered(
        {
            "function": "regex",
            "regex_pattern": "([a-z])[^a-z]*",
            "group_select": -1,
            "fallback": "?",
        },
        {"function": "remove_whitespace"},
        {"function": "uppercase"},
        FIRST,
    ),
    "form_lettered": WRITES
    | {"doc_to_target": "({{label}})"}
    | _filtered(
        {
            "function": "multi_choice_regex",
            "regex_pattern": "(\\([A-Z]\\))",
            "group_select": 0,
            "ignore_case": True,
            "ignore_punctuation": True,
        },
        FIRST,
    ),
    "form_all_texts": WRITES
    | {
        "repeats": 3,
        "process_results": "!function forms.of_all",
        "metric_list": [_metric("share")],
        **_filtered({"function": "take_first_k", "k": 3}),
    },
    "form_cold": WRITES
    | {"generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 9, "temperature": 0.0}},
    "form_stops": WRITES
    | {"generation_kwargs": GENERATES | {"until": ["</s>", "Q:", "<|im_end|>", "ab", " "]}},
    "form_long_prompt": WRITES | {"doc_to_text": "{{text * (400 // (text|length + 1) + 1)}}"},
    "form_prefix_column": WRITES | {"gen_prefix": "{{a}}", "description": "Say {{label}}. "},
    # Log-likelihoods of texts.
    "form_said": {
        "output_type": "loglikelihood",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{' ' + a}}",
        "metric_list": [_metric("acc"), _metric("perplexity", aggregation="perplexity")],
    },
    "form_said_alone": {
        "output_type": "loglikelihood",
        "doc_to_text": "",
        "doc_to_target": "{{question}}",
        "metric_list": [_metric("perplexity", aggregation="perplexity", higher_is_better=False)],
    },
    "form_rolled": ROLLED
    | {
        "doc_to_target": "{{odd}}x",
        "metric_list": [
            _metric("bits_per_byte", aggregation="bits_per_byte", higher_is_better=False)
        ],
    },
    # Scored by more than one number.
    "form_several": CHOOSES
    | {
        "process_results": "!function forms.several",
        "metric_list": [_metric("gap"), _metric("worst", aggregation="!function forms.lowest")],
        "doc_to_target": "{{number - 1}}",
    },
    "form_middle": CHOOSES
    | {
        "process_results": "!function forms.several",
        "metric_list": [_metric("gap", aggregation="median")],
        "doc_to_target": "{{number - 1}}",
    },
}
PYTHON = '''
"""What the tasks call."""


def filled_in(doc):
    return doc["number"] - 1


def before_blank(doc):
    return [doc["sentence"].split("_")[0] + choice for choice in doc["choices"]]


def after_blank(doc):
    return doc["sentence"].split("_")[1].strip()


def of_all(doc, results):
    texts = results[0] if isinstance(results[0], list) else results
    return {"share": sum(doc["a"][0] in text for text in texts) / len(texts)}


def several(doc, results):
    likelihoods = sorted((likelihood for likelihood, _ in results), reverse=True)
    return {"gap": likelihoods[0] - likelihoods[1], "worst": likelihoods[-1]}


def lowest(values):
    return min(values)
'''


def write_task_forms(folder: Path) -> list[str]:
    """Write the tasks, their Python and their data below ``folder``; return the texts."""
    (folder / "tasks").mkdir()
    (folder / "data/folder").mkdir(parents=True)
    (folder / "tasks/forms.py").write_text(PYTHON, encoding="utf-8")
    texts = []
    for seed, split in enumerate(("test", "train")):
        rows = documents(seed)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"data/{split}.jsonl").write_text(lines, encoding="utf-8")
        (folder / f"data/folder/{split}.jsonl").write_text(lines, encoding="utf-8")
        texts.append(lines)
    rows = documents(5)
    table = datasets.Dataset.from_list(rows)
    table.to_parquet(folder / "data/forms.parquet")
    table.select_columns(["id", "question", "label", "number"]).to_csv(folder / "data/forms.csv")
    (folder / "data/inside.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    said = "".join(f"{i} {' '.join(row['choices'])}\n" for i, row in enumerate(rows))
    (folder / "data/lines.txt").write_text(said, encoding="utf-8")
    files = {split: f"data/{split}.jsonl" for split in ("test", "train")}
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test"}
    for name, config in FORMS.items():
        whole = {"task": name} | data | config
        whole = {key: value for key, value in whole.items() if value is not None}
        (folder / f"tasks/{name}.yaml").write_text(_text_of(whole), encoding="utf-8")
    return texts
