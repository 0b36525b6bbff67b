"""What is a candidate's fault, and what is the machine's."""

import pytest
import torch

from flows.execution.candidates.candidate_faults import Step, is_candidates, plain_reason
from stages.errors import (
    CheckpointError,
    EvaluationError,
    GermlineError,
    LineageError,
    ParamsError,
    RecipeError,
    ServiceError,
)


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """Return ``error`` as it is where it was raised from ``cause``."""
    error.__cause__ = cause
    return error


LIN_ALG = torch._C._LinAlgError  # type: ignore[attr-defined]
CANDIDATES: list[tuple[Step, Exception]] = [
    ("merge", RecipeError("a weight overflows")),
    ("merge", LIN_ALG("svd: did not converge")),
    ("score", EvaluationError("the log-likelihood is NaN")),
    ("score", raised(EvaluationError("cannot be scored"), ZeroDivisionError())),
    ("score", raised(EvaluationError("cannot be scored"), KeyError("x"))),
    ("score", raised(EvaluationError("a"), raised(EvaluationError("b"), SyntaxError()))),
]
MACHINES: list[tuple[Step, Exception]] = [
    *(("merge", error("x")) for error in (CheckpointError, ParamsError, LineageError)),
    *(("score", error("x")) for error in (CheckpointError, ParamsError, ServiceError)),
    *(("merge", error("x")) for error in (OSError, MemoryError, ImportError, RuntimeError)),
    *(("score", error("x")) for error in (OSError, MemoryError, ValueError, RuntimeError)),
    ("prepare", EvaluationError("prompts cannot be built")),
    ("merge", EvaluationError("not raised by a merge")),
    ("score", RecipeError("not raised by scoring")),
    ("score", GermlineError("worker")),
    ("merge", raised(RecipeError("x"), OSError(28, "No space left on device"))),
    *(
        ("score", raised(EvaluationError("cannot be scored"), cause))
        for cause in (
            PermissionError("x"),
            FileNotFoundError("x"),
            ModuleNotFoundError("x"),
            MemoryError(),
            LookupError("Resource punkt not found"),
            RuntimeError("CUDA error: device-side assert triggered"),
            raised(ValueError("x"), OSError("x")),
        )
    ),
]


@pytest.mark.parametrize(("step", "error"), CANDIDATES, ids=repr)
def test_a_fault_of_recipe_or_model_is_the_candidates(step: Step, error: Exception) -> None:
    """It depends on the weights alone, so it is the same on any machine."""
    assert is_candidates(error, step)


@pytest.mark.parametrize(("step", "error"), MACHINES, ids=repr)
def test_everything_else_is_not(step: Step, error: Exception) -> None:
    """Disk, permissions, libraries, memory, services, params and defects of germline."""
    assert not is_candidates(error, step)


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        ("cannot read /home/me/x y/a.json: no", "cannot read x y/a.json: no"),
        ("see '/tmp/t/one.py' (line 3)", "see 'one.py' (line 3)"),
        (
            "tensor model.layers.4: data/parents/math has",
            "tensor model.layers.4: data/parents/math has",
        ),
        ("judge http://h:1/v1/chat: and/or", "judge http://h:1/v1/chat: and/or"),
        ("./a/b ../c/d ~/e/f", "./a/b ../c/d ~/e/f"),
        ("8 / 2 = 4, 1/2/3", "8 / 2 = 4, 1/2/3"),
    ],
)
def test_a_reason_names_no_place_of_this_machine(message: str, plain: str) -> None:
    """Absolute paths shrink to their last part; URLs, relative paths and sums stay."""
    assert plain == plain_reason(ValueError(message))
