"""Which items of a task ask the same question, where params.yaml says how to tell.

Without ``question_key`` two items are the same where their whole content is. With it they are the
same where the key is: a sum and its commuted twin, one question in two languages.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import TemplateError

from stages.errors import EvaluationError, words_of
from stages.evaluate.tasks.task_hash import item_id
from stages.templates import sandbox


def question_keys(task: str, template: str, documents: Iterable[Any]) -> dict[str, str]:
    """Return the question that each of ``documents`` asks, by item id.

    ``template`` is a column's name or a template over the columns.

    Raises:
        EvaluationError: the template cannot be filled with a document, or gives nothing.
    """
    try:
        compiled = sandbox().from_string(template)
    except TemplateError as error:
        raise _fault(task, f"{template!r} is not a template: {words_of(error)}") from error
    keys = {}
    for number, document in enumerate(documents, 1):
        columns = dict(document)
        try:
            # As in lm-eval, a column's name stands for the column.
            is_column = template in columns
            key = str(columns[template] if is_column else compiled.render(**columns))
        except Exception as error:  # a template may raise anything
            raise _fault(task, f"document {number}: {words_of(error)}", columns) from error
        if not key.strip() or (key == template and not is_column):
            raise _fault(task, f"document {number}: the key is {key!r}", columns)
        keys[item_id(document)] = key
    return keys


def _fault(task: str, what: str, columns: Mapping[str, Any] | None = None) -> EvaluationError:
    named = f" Its columns: {', '.join(columns)}." if columns else ""
    return EvaluationError(
        f"task {task}, question_key: {what}. Give a column, or a template over the "
        f"columns whose text is the same for items that ask the same.{named}"
    )
