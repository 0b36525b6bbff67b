"""Turn a data file into an lm-eval task, in memory; lm-eval does prompts and chat templates.

The metrics of generated text are ours (``measures.py``), those of the other kinds lm-eval's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.data_files.questions import Item, asked_by, items_of, kind_of
from stages.evaluate.data_files.tables import Table, read_table
from stages.params.task_params import Kind, TaskParams

_CONFIGS: dict[Kind, dict[str, Any]] = {
    "multiple_choice": {
        "output_type": "multiple_choice",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "metrics": ("acc", "acc_norm"),
    },
    "exact_match": {
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 64, "do_sample": False},
        "metrics": ("exact_match",),
    },
    "numeric": {
        "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 256, "do_sample": False},
        "metrics": ("exact_match",),
    },
    "free_text": {
        "generation_kwargs": {"until": [], "max_gen_toks": 256, "do_sample": False},
        "metrics": ("exact_match",),
    },
    "perplexity": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "text",
        "metrics": ("byte_perplexity", "word_perplexity", "bits_per_byte"),
    },
}


class Items(list[Item]):
    """Items as lm-eval takes them: a list that knows its columns."""

    @property
    def features(self) -> dict[str, None]:
        """The columns of any item."""
        return dict.fromkeys(column for item in self for column in item)


@dataclass(slots=True)
class Shelf:
    """The data files of a project, each read once."""

    tables: dict[str, Table] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """Return the table in the file ``name``.

        Raises:
            EvaluationError: as ``read_table``.
        """
        if name not in self.tables:
            self.tables[name] = read_table(name)
        return self.tables[name]


def data_task(name: str, task_params: TaskParams, shelf: Shelf) -> tuple[Any, Kind]:
    """Return the lm-eval task of the data file ``name``, and its kind.

    Raises:
        EvaluationError: a file, a column or a cell does not fit its kind of task, or a question
            is both in ``name`` and in another file of the task.
    """
    from lm_eval.api.task import ConfigurableTask

    table = shelf.table(name)
    kind = kind_of(task_params, table)
    items = items_of(task_params, table, kind)
    examples = _examples(task_params, kind, shelf)
    for other in task_params.sources:
        if other != name:
            other_items = items_of(task_params, shelf.table(other), kind)
            _refuse_shared(
                task_params, (name, items), (other, other_items), "items of another split"
            )
    if task_params.fewshot is not None:
        _refuse_shared(
            task_params, (name, items), (task_params.fewshot, examples), "few-shot examples"
        )
    documents = {"items": Items(items.values()), "examples": Items(examples.values())}
    return ConfigurableTask(config=_config(task_params, kind, documents)), kind


def _config(task_params: TaskParams, kind: Kind, documents: Mapping[str, Items]) -> dict[str, Any]:
    own = dict(_CONFIGS[kind])
    metrics = own.pop("metrics")
    config = {
        "task": task_params.label,
        "custom_dataset": lambda **_: documents,
        "test_split": "items",
        "output_type": "generate_until",
        "doc_to_text": task_params.template or "prompt",
        "doc_to_target": "answer",
        "target_delimiter": task_params.delimiter,
        "num_fewshot": len(documents["examples"]),
        "metric_list": [_metric(name) for name in metrics],
    }
    if task_params.fewshot is not None:
        config |= {"fewshot_split": "examples", "fewshot_config": {"sampler": "first_n"}}
    return config | own


def _metric(name: str) -> dict[str, Any]:
    from lm_eval.api.registry import (
        AGGREGATION_REGISTRY,
        get_metric_aggregation,
        is_higher_better,
    )

    names = {function: key for key, function in AGGREGATION_REGISTRY.items()}
    return {
        "metric": name,
        "aggregation": names[get_metric_aggregation(name)],
        "higher_is_better": is_higher_better(name),
    }


def _examples(task_params: TaskParams, kind: Kind, shelf: Shelf) -> dict[int, Item]:
    if task_params.fewshot is None:
        if task_params.num_fewshot:
            raise EvaluationError(
                f"task {task_params.label}: num_fewshot is {task_params.num_fewshot}, but no file "
                "of examples is named. Name one under fewshot, with rows like those of the data."
            )
        return {}
    if kind == "perplexity":
        raise EvaluationError(
            f"task {task_params.label}: fewshot is set, but text that is only scored shows no "
            "examples. Remove fewshot."
        )
    table = shelf.table(task_params.fewshot)
    items = items_of(task_params, table, kind)
    unanswered = [number for number, item in items.items() if not item["answer"]]
    if unanswered:
        raise table.fault(
            "is empty. An example needs its answer.", unanswered[0], task_params.columns.answer
        )
    return items


def _refuse_shared(
    task_params: TaskParams,
    one: tuple[str, Mapping[int, Item]],
    other: tuple[str, Mapping[int, Item]],
    what: str,
) -> None:
    rows = {asked_by(task_params, item): number for number, item in other[1].items()}
    for number, item in one[1].items():
        row = rows.get(asked_by(task_params, item))
        if row is not None:
            raise EvaluationError(
                f"{one[0]}, row {number}: is also row {row} of {other[0]}, whose rows are "
                f"{what}. A gain is a gain only on unseen items; remove it from one of them."
            )
