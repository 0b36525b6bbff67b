"""A project folder with a data file of each kind, and the same as lm-eval tasks."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.conftest import COLOURS, colour, write_lines

HEAD = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: data/{file}, train: data/{train}}}}}
test_split: test
"""
SUMS = """
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
generation_kwargs: {until: ["\\n"], max_gen_toks: 12, do_sample: false}
process_results: !function scoring.fingerprint
metric_list:
  - {metric: fingerprint, aggregation: mean, higher_is_better: true}
"""
CHOICES = """
output_type: multiple_choice
doc_to_text: prompt
doc_to_choice: choices
doc_to_target: gold
fewshot_split: train
fewshot_config: {sampler: first_n}
num_fewshot: 2
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
PROSE = """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: text
metric_list:
  - {metric: byte_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
"""
SCORER = '''
"""The fingerprint of conftest.py, as a scorer."""


def score(item, answer):
    """A number that tells nearly any two texts apart."""
    return sum(ord(c) * (i + 1) for i, c in enumerate(answer)) % 101 / 101
'''


def write_choices(path: Path, numbers: Iterable[int]) -> None:
    """Write colour questions as a spreadsheet has them: a column for each choice."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["prompt", *"ABCDE", "answer"])
        for doc in map(colour, numbers):
            rows.writerow([doc["question"], *COLOURS, "ABCDE"[doc["answer"]]])


def as_lines(numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Return the same questions as lm-eval wants them."""
    docs = map(colour, numbers)
    return [{"prompt": d["question"], "choices": COLOURS, "gold": d["answer"]} for d in docs]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> Path:
    """A project folder with a data file of each kind, and the same as lm-eval tasks."""
    monkeypatch.chdir(tmp_path)
    tasks, data = tmp_path / "tasks", tmp_path / "data"
    tasks.mkdir()
    data.mkdir()
    (tasks / "scoring.py").write_text((project / "tasks/scoring.py").read_text())
    (tmp_path / "mine.py").write_text(SCORER)
    sums = [{"prompt": f"{i}+{i % 7}=", "answer": str(i + i % 7)} for i in range(8, 48)]
    write_lines(data / "sums.jsonl", sums)
    prose = [{"text": "the cat sat on " + "a mat. " * (i % 60 + 1) + str(i)} for i in range(40)]
    write_lines(data / "prose.jsonl", prose)
    write_choices(data / "colours.csv", range(40))
    write_choices(data / "shown.csv", (100, 101))
    write_lines(data / "colours.jsonl", as_lines(range(40)))
    write_lines(data / "shown.jsonl", as_lines((100, 101)))
    for name, file, text in (
        ("yaml_sums", "sums.jsonl", SUMS),
        ("yaml_colours", "colours.jsonl", CHOICES),
        ("yaml_prose", "prose.jsonl", PROSE),
    ):
        train = "shown.jsonl" if file == "colours.jsonl" else file
        head = HEAD.format(name=name, file=file, train=train)
        (tasks / f"{name}.yaml").write_text(head + text)
    return tmp_path


def colours(**keys: Any) -> dict[str, Any]:
    """Return the entry of the multiple-choice file."""
    return {"data": "data/colours.csv", "columns": {"choices": list("ABCDE")}, **keys}
