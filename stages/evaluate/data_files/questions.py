"""Turn each row of a table into an item: the question, the accepted answers, or the fault.

An item holds every column of its row, and under fixed names what the kind needs: ``prompt``,
``answer`` (the first accepted) and ``answers``, both empty in free text without one; for multiple
choice ``choices`` and ``gold``, the place of the right one; for perplexity ``text``.
"""

import json
import math
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from stages.errors import words_of
from stages.evaluate.data_files.tables import Row, Table
from stages.evaluate.measures.number_reading import numbers
from stages.evaluate.quiet_lm_eval import sandboxed
from stages.hashing import nearest
from stages.json_text import json_in
from stages.params.task_params import ColumnParams, Kind, TaskParams

Item = dict[str, Any]

# How the answers of a multiple-choice file name the right choice; the first that fits all rows.
_MANNERS: dict[str, Callable[[Sequence[str], str], int | None]] = {
    "the text of a choice": lambda choices, said: _place(said, choices),
    "a letter, A for the first choice": lambda choices, said: _place(
        said.upper(), string.ascii_uppercase[: len(choices)]
    ),
    "a number, 0 for the first choice": lambda choices, said: _place(
        said, [str(i) for i in range(len(choices))]
    ),
}


def kind_of(task_params: TaskParams, table: Table) -> Kind:
    """Return the kind of task in ``table``: the kind in params, or the one its columns show.

    Raises:
        EvaluationError: a column that the kind needs is missing, or no kind fits.
    """
    names = task_params.columns
    if task_params.kind is not None:
        needed = {
            "multiple_choice": [names.prompt, *_listed(names.choices), names.answer],
            "perplexity": [names.text],
            "free_text": [names.prompt],
        }.get(task_params.kind, [names.prompt, names.answer])
        missing = [name for name in needed if name not in table.columns]
        if missing:
            hint = nearest(missing[0], list(table.columns))
            raise table.fault(f"has no column {missing[0]!r}. {_advice(table)}{hint}")
        return task_params.kind
    return _shown_by_columns(task_params, table)


def items_of(task_params: TaskParams, table: Table, kind: Kind) -> dict[int, Item]:
    """Return the items by row number.

    Raises:
        EvaluationError: a cell is empty or not what its column should hold, an answer is none of
            the choices or holds no number, or two rows ask the same.
    """
    if kind == "perplexity":
        items = {
            n: _renamed(row, text=_text(table, n, task_params)) for n, row in table.rows.items()
        }
    else:
        items = {n: _asked(task_params, table, kind, n) for n in table.rows}
    if kind == "multiple_choice":
        _mark_gold(table, items, task_params.columns)
    _refuse_twice(task_params, table, items)
    return items


def asked_by(task_params: TaskParams, item: Mapping[str, Any]) -> str:
    """Return what a model sees of an item; items that show the same are the same."""
    shown = item.get("text") if "prompt" not in item else item["prompt"]
    if task_params.template is not None and "prompt" in item:
        shown = _compiled(task_params.template).render(**item)
    return json.dumps([shown, item.get("choices")])


@lru_cache(64)
def _compiled(template: str) -> Any:
    """Return the template as lm-eval compiles it, which does so again for every item."""
    return sandboxed().from_string(template)


def _shown_by_columns(task_params: TaskParams, table: Table) -> Kind:
    names, there = task_params.columns, set(table.columns)
    graded = task_params.scorer is not None or task_params.judge is not None
    if names.prompt in there:
        if names.answer in there and there.issuperset(_listed(names.choices)):
            return "multiple_choice"
        if graded:
            return "free_text"
        if names.answer in there:
            return "exact_match"
    elif names.text in there:
        return "perplexity"
    raise table.fault(f"its columns show no kind of task. {_advice(table)}")


def _advice(table: Table) -> str:
    listed = ", ".join(table.columns)
    return (
        f"It has: {listed}. A task needs prompt and answer; or prompt, choices and answer; or "
        "text; or prompt and a scorer or judge. Name your own under columns."
    )


def _asked(task_params: TaskParams, table: Table, kind: Kind, number: int) -> Item:
    row, names = table.rows[number], task_params.columns
    item = _renamed(row, prompt=_string(table, number, names.prompt))
    if kind == "multiple_choice":
        item["choices"] = list(_choices(table, number, names.choices))
        item["answer"] = _string(table, number, names.answer).strip()
        return item
    if kind == "free_text" and _is_empty(row.get(names.answer)):
        return {**item, "answer": "", "answers": []}
    item["answers"] = _accepted(table, number, names.answer)
    item["answer"] = item["answers"][0]
    if "numeric" in (kind, task_params.metric):
        for answer in item["answers"]:
            if len(numbers(answer, task_params.decimal)) != 1:
                raise table.fault(
                    f"{answer!r} is not one number. A numeric task needs a number there; see "
                    "docs/tasks.md for how numbers are written.",
                    number,
                    names.answer,
                )
    return item


def _renamed(row: Row, **fixed: str) -> Item:
    return {**{str(k): v for k, v in row.items()}, **fixed}


def _text(table: Table, number: int, task_params: TaskParams) -> str:
    return _string(table, number, task_params.columns.text)


def _string(table: Table, number: int, column: str) -> str:
    """Return a cell as text; numbers are written as Python writes them."""
    value = table.rows[number].get(column)
    if _is_empty(value):
        raise table.fault("is empty. Fill it or remove the row.", number, column)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise table.fault(
            f"holds a {type(value).__name__}. It must hold text or a number.", number, column
        )
    return str(value)


def _is_empty(value: Any) -> bool:
    """Return whether a cell holds nothing; pandas writes a missing number as NaN."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def _accepted(table: Table, number: int, column: str) -> list[str]:
    """Return the accepted answers: those of a list, or the cell's own text."""
    listed = _as_list(table.rows[number].get(column))
    if listed is None:
        return [_string(table, number, column)]
    if not listed or any(_is_empty(v) or not isinstance(v, str | int | float) for v in listed):
        raise table.fault(
            "its list holds no answer, or an empty one. Give answers that are not empty.",
            number,
            column,
        )
    return [str(value) for value in listed]


def _choices(table: Table, number: int, columns: str | Sequence[str]) -> Iterator[str]:
    if isinstance(columns, str):
        cell = table.rows[number].get(columns)
        listed = _as_list(cell)
        if listed is None:
            listed = _string(table, number, columns).split("|")
        name = columns
    else:
        listed = [table.rows[number].get(column) for column in columns]
        while listed and _is_empty(listed[-1]):
            listed.pop()  # a question with fewer choices than others
        name = columns[0]
    choices = [str(value).strip() if not _is_empty(value) else "" for value in listed]
    if len(choices) < 2 or "" in choices or len(set(choices)) < len(choices):
        raise table.fault(
            f"the choices are {choices!r:.300}. Give two or more, none empty, all different: a "
            "JSON list, text with | between, or one column each.",
            number,
            name,
        )
    yield from choices


def _as_list(value: Any) -> list[Any] | None:
    """Return the list in a cell, itself or as JSON text; None where it holds no list."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json_in(value)
        except ValueError:
            return None
    return list(value) if isinstance(value, list | tuple) else None


def _mark_gold(table: Table, items: Mapping[int, Item], names: ColumnParams) -> None:
    """Set ``gold`` and the right choice's text as ``answer``, by one manner for the whole file."""
    for manner in _MANNERS.values():
        places = {n: manner(item["choices"], item["answer"]) for n, item in items.items()}
        if None not in places.values():
            for number, item in items.items():
                item["gold"] = places[number]
                item["answer"] = item["choices"][places[number]]
            return
    fits = {
        manner: [n for n, item in items.items() if read(item["choices"], item["answer"]) is None]
        for manner, read in _MANNERS.items()
    }
    best, outside = min(fits.items(), key=lambda pair: len(pair[1]))
    item = items[outside[0]]
    raise table.fault(
        f"the answer {item['answer']!r} is none of the choices {item['choices']}. Answers are "
        f"{'; or '.join(_MANNERS)}: one manner in the whole file ({len(items) - len(outside)} of "
        f"{len(items)} rows have {best}).",
        outside[0],
        names.answer,
    )


def _place(said: str, choices: Sequence[str]) -> int | None:
    return list(choices).index(said) if said in list(choices) else None


def _listed(columns: str | Sequence[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _refuse_twice(task_params: TaskParams, table: Table, items: Mapping[int, Item]) -> None:
    first: dict[str, int] = {}
    for number, item in items.items():
        try:
            shown = asked_by(task_params, item)
        except Exception as error:
            raise table.fault(
                f"template: {words_of(error)}. It may name the columns: {', '.join(item)}.",
                number,
            ) from error
        if shown in first:
            raise table.fault(
                f"asks the same as row {first[shown]}. A gain is a gain only on distinct items; "
                "remove one of them.",
                number,
            )
        first[shown] = number
