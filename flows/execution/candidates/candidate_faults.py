"""The list of what is a candidate's own fault. Everything else stops the run.

A candidate's fault is recorded in the lineage and told to the optimiser as the worst fitness, so
it must depend on the recipe and the model alone. What a disk, a permission, a missing library, a
full memory or a defect of germline does to a run is not on the list: it is said once, remembered
nowhere, and the same command goes on when the cause is gone.
"""

import re
from typing import Literal

import torch

from flows.execution.executor import UnfinishedError
from stages.errors import EvaluationError, GermlineError, RecipeError, ServiceError

Step = Literal["merge", "prepare", "score"]

# By where it is raised: in planning and merging a recipe, in building the requests, or in
# answering and scoring them.
FAULTS: dict[Step, tuple[type[Exception], ...]] = {
    "merge": (
        RecipeError,  # the recipe does not fit its parents, or a weight overflows
        torch.linalg.LinAlgError,  # type: ignore[attr-defined]  # a decomposition diverges
    ),
    "prepare": (),  # prompts are the same for all candidates
    "score": (
        EvaluationError,  # logits that are NaN, or an answer that the metric cannot read
    ),
}
# What code that reads an answer (a task's process_results, a user's scorer, a filter) may raise
# because of what the model answered. Behind an EvaluationError of "score" any other exception,
# such as OSError, ImportError, MemoryError or nltk's LookupError, is the machine's.
ANSWER_FAULTS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    SyntaxError,  # ast.literal_eval of an answer
    TypeError,
    ValueError,
    re.error,
)
# What may pass when it is tried again, and is the candidate's where all tries end so: a time-out,
# a process that died, a judge that did not answer. Nobody can tell whose fault those are.
MAY_PASS: tuple[type[GermlineError], ...] = (UnfinishedError, ServiceError)


def is_candidates(error: Exception, step: Step) -> bool:
    """Return whether ``error``, raised in ``step``, is a fault of the candidate alone."""
    if not isinstance(error, FAULTS[step]):
        return False
    cause = error.__cause__
    while cause is not None:
        legal = FAULTS[step] if isinstance(cause, GermlineError) else ANSWER_FAULTS
        if not isinstance(cause, legal):
            return False
        cause = cause.__cause__
    return True


# An absolute path of at least two parts; what follows a word, a colon or a dot (URLs, "and/or",
# relative paths) is left alone.
_PATH = re.compile(r"(?<![\w:/.~-])/(?:[\w.@+-]+/)+([\w.@+-]*)")


def plain_reason(error: BaseException) -> str:
    """Return the message of ``error`` as the lineage holds it: of absolute paths the last part."""
    return _PATH.sub(r"\1", str(error))
