"""What is wrong in a task's file or data is said as it is, in one line."""

import errno
import re
from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError, ParamsError
from tests.evaluate.own_python.conftest import MakeSuite, write_task

CODE = """
def score(doc, results):
    return {"ok": 1.0}

def listed(dataset):
    return [dict(doc) for doc in dataset]

def emptied(dataset):
    return dataset.filter(lambda doc: False)

def number(doc):
    return doc["gold"]

def text(doc, results):
    return "x"
"""
CHOICE = {
    "output_type": "multiple_choice",
    "doc_to_choice": "options",
    "doc_to_target": "gold",
    "process_results": None,
    "metric_list": None,
}
METRIC = {"aggregation": "mean", "higher_is_better": True}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "split": ({"test_split": "tset"}, r"test_split: its data have no split 'tset'. Legal: test"),
    "examples": ({"fewshot_split": "dev", "num_fewshot": 1}, "fewshot_split: .* no split 'dev'"),
    "column": ({"doc_to_text": "{{qq}}"}, "doc_to_text fails on its first document: .*'qq' is un"),
    "template": ({"doc_to_target": "{{a"}, "doc_to_target fails on its first document: Template"),
    "no text": ({"doc_to_text": None}, "has no doc_to_text. Give it one"),
    "data": ({"dataset_path": None}, "names no data. Set dataset_path"),
    "folder": ({"dataset_path": "data/nowhere"}, "its data, data/nowhere, are neither a folder"),
    "address": (
        {"dataset_kwargs": {"data_files": {"test": "https://example.invalid/x.json"}}},
        "Runs do not use the network. Fetch the file once",
    ),
    "format": ({"dataset_path": "parquet"}, "cannot be read by dataset_path parquet: Arrow"),
    "list": ({"process_docs": "!function code.listed"}, "process_docs gives a list. Return a"),
    "none": ({"process_docs": "!function code.emptied"}, "it has no documents"),
    "choice": (CHOICE | {"doc_to_choice": ["", "a"]}, "choice '' of its first document is not a"),
    "index": (CHOICE | {"doc_to_target": 17}, "17 is not an index of the 3 choices of its first"),
    "metric": ({"metric_list": [{"metric": "ok"}]}, "ok is none of lm-eval's own. Give it agg"),
    "repeats": ({"repeats": "3"}, "repeats is '3'. Give a whole number of answers from 1"),
    "stops": (
        {"generation_kwargs": {"until": None}},
        r"until is None. Give a text, or a list of texts, \[\] for none",
    ),
    "sampled": ({"generation_kwargs": {"do_sample": "yes"}}, "do_sample is 'yes'. Give true or"),
    "clock": ({"generation_kwargs": {"max_time": 3}}, "max_time is 3: a text would depend on"),
    "several": (
        {"generation_kwargs": {"num_return_sequences": 2}},
        "num_return_sequences is 2: lm-eval takes one text for a prompt",
    ),
    "beams": ({"generation_kwargs": {"num_beams": 0}}, "num_beams is 0. Give a whole number"),
    "ends": (
        {"generation_kwargs": {"num_beams": 2, "early_stopping": "x"}},
        "but is x. Give another value.",
    ),
    "package": (
        {
            "process_results": None,
            "metric_list": [{"metric": "rouge", "hf_evaluate": True, **METRIC}],
        },
        "metric rouge is none of lm-eval's own, and lm-eval cannot load it from the package",
    ),
    "number": (
        {"output_type": "loglikelihood", "doc_to_target": "!function code.number"},
        "its prompts cannot be built: TypeError: 1 is not text, which doc_to_target must give",
    ),
    "changing template": (
        {"doc_to_text": "{{ options.append('more') }}"},
        "doc_to_text fails on its first document: SecurityError: .*'append'",
    ),
    "results": ({"process_results": "!function code.text"}, "process_results gives a str, 'x'."),
}


@pytest.mark.parametrize("kind", CASES)
def test_faults_of_a_task_are_said_as_they_are(own: Path, load: MakeSuite, kind: str) -> None:
    """The message names what is wrong, not what lm-eval stumbled on."""
    changes, message = CASES[kind]
    (own / "tasks/code.py").write_text(CODE)
    write_task(own, **changes)
    with pytest.raises((EvaluationError, ParamsError), match=message):
        load()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "import not_here",
            "its Python needs the module not_here, which is not there. Install it",
        ),
        (
            "import transformers.not_here",
            "what the installed transformers does not have: No module",
        ),
        ("from json import not_here", "what the installed json does not have: cannot import name"),
        (
            "raise ModuleNotFoundError('`a` and `b` are required. Please install')",
            "its Python needs what is not installed: `a` and `b` are required. Please install",
        ),
    ],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["loading", "scoring"])
def test_a_module_that_is_not_there_is_not_the_files_fault(
    own: Path, load: MakeSuite, line: str, said: str, is_late: bool
) -> None:
    """It is named, and what to install, before a model is loaded; the task's file is right."""
    body = f"def score(doc, results):\n    {line}\n" if is_late else f"{line}\n\n{CODE}"
    (own / "tasks/code.py").write_text(body)
    write_task(own)
    with pytest.raises(EvaluationError, match=rf"^task own[:,].*{re.escape(said)}"):
        load()


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_failing_disk_is_not_the_tasks_fault(own: Path, load: MakeSuite, code: int) -> None:
    """The file that could not be read is named, and what to look at."""
    raising = f"raise OSError({code}, 'Broken', 'data/own.jsonl')"
    (own / "tasks/code.py").write_text(f"{CODE}\n\ndef unread(data):\n    {raising}\n")
    write_task(own, process_docs="!function code.unread")
    message = (
        r"task own: its data cannot be read or cached: data/own.jsonl: Broken. Check the disk"
    )
    with pytest.raises(EvaluationError, match=message):
        load()


@pytest.mark.parametrize(("code", "count"), [(errno.EIO, 1), (errno.EDQUOT, 1), (errno.EACCES, 2)])
def test_failing_disk_is_said_once(own: Path, load: MakeSuite, code: int, count: int) -> None:
    """A task whose file may not be read is one of several faults; a disk that fails is but one."""
    raising = f"raise OSError({code}, 'Broken', 'data/own.jsonl')"
    (own / "tasks/code.py").write_text(f"{CODE}\n\ndef unread(data):\n    {raising}\n")
    for name in ("own", "other"):
        write_task(own, name, process_docs="!function code.unread")
    with pytest.raises(EvaluationError) as said:
        load("own", "other")
    assert count == len(str(said.value).splitlines())


def test_empty_file_of_data_is_named(own: Path, load: MakeSuite) -> None:
    """A file without documents, or with something else in it."""
    (own / "tasks/code.py").write_text(CODE)
    write_task(own)
    (own / "data/own.jsonl").write_text("")
    with pytest.raises(EvaluationError, match="cannot be read, as of an empty file"):
        load()


def test_file_that_cannot_be_read_is_the_reason(own: Path, load: MakeSuite) -> None:
    """A task whose file is broken is not called unknown; an unknown one names broken files."""
    write_task(own, include="base.yaml")
    with pytest.raises(EvaluationError, match=r"task own: its file tasks/own.yaml cannot be read"):
        load()
    with pytest.raises(EvaluationError, match=r"no such task.* tasks/own.yaml cannot be read"):
        load("other")
