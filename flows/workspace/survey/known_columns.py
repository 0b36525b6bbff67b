"""Other names of the columns of questions, as many data sets have them."""

from collections.abc import Mapping

from stages.errors import EvaluationError
from stages.evaluate.data_files.questions import kind_of
from stages.evaluate.data_files.tables import read_table
from stages.params.load import validated
from stages.params.task_params import TaskParams

# Of more than one of a kind none is taken: nobody but the user knows which is meant.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "prompt": ("question", "instruction", "input", "problem", "query"),
    "answer": ("target", "label", "output", "solution", "gold"),
}


def known_columns(data: str) -> dict[str, str]:
    """Return the ``columns`` of a file of questions; nothing where its own names show its kind.

    Raises:
        EvaluationError: the file cannot be read, or its columns are neither ours nor known.
    """
    task = validated(TaskParams, {"data": data}, "evaluate.tasks")
    table = read_table(data)
    try:
        kind_of(task, table)
    except EvaluationError as error:
        columns = {}
        for name, others in KNOWN.items():
            there = [other for other in others if other in table.columns]
            if name not in table.columns and len(there) == 1:
                columns[name] = there[0]
        if not columns or not {*table.columns, *columns}.issuperset(KNOWN):
            names = "; ".join(f"{name}: {', '.join(others)}" for name, others in KNOWN.items())
            raise EvaluationError(
                f"{error} That is a key of params.yaml, so rename the columns for `germline new`; "
                f"it also knows these names, where the file has one of them ({names})."
            ) from error
        return columns
    return {}
