"""A batch that does not fit the memory is run in halves, and gives the same answers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stages.errors import EvaluationError
from stages.evaluate.resident.language_model import ResidentLM
from stages.evaluate.resident.out_of_memory import is_out_of_memory
from stages.evaluate.resident.requests import Request
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.resident.test_language_model import PAIRS, REQUESTS

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
]


class Small(nn.Module):
    """A model with memory for so many rows; it counts the passes that it could not do."""

    def __init__(self, model: Any, num_rows: int, error: Exception) -> None:
        super().__init__()
        self.num_failed = 0
        self.limit, self.error, self.inner = num_rows, error, model.forward

    def forward(self, input_ids: torch.Tensor, **arguments: Any) -> Any:
        """Run the model, or fail as it would on a machine that is too small."""
        if len(input_ids) > self.limit:
            self.num_failed += 1
            raise self.error
        return self.inner(input_ids=input_ids, **arguments)


def opened(folder: Path, **changes: Any) -> ResidentLM:
    """Return the model with batches that would hold every request."""
    section = {"tasks": [{"task": "t"}], "batch_size": 1000} | changes
    return ResidentLM.open(folder, EvaluateParams.model_validate(section))


def make_small(
    lm: ResidentLM, num_rows: int, error: Exception, patch: pytest.MonkeyPatch
) -> Small:
    """Let the model fail on more rows than it has room for."""
    small = Small(lm.model, num_rows, error)
    patch.setattr(lm.model, "forward", small.forward)
    return small


@pytest.mark.parametrize(
    ("kind", "error"),
    [(kind, ERRORS[0]) for kind in REQUESTS] + [("generate_until", e) for e in ERRORS[1:]],
)
def test_halves_give_the_same_answers(
    model_folder: Path, kind: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts and greedy answers are equal, log-likelihoods within 1e-5, wherever it is halved."""
    lm = opened(model_folder, model_args={"logits_cache": False})
    some = REQUESTS[kind][:: 3 if kind == "loglikelihood" else 1]
    asked = [Request(kind, arguments, "item") for arguments in some]
    prepared = lm.prepare(asked)
    expected = lm.answer(prepared)
    for num_rows in (1, 3):
        with monkeypatch.context() as patch:
            small = make_small(lm, num_rows, error, patch)
            answers = lm.answer(prepared)
        assert small.num_failed > 2
        if kind == "generate_until":
            assert expected == answers
        elif kind == "loglikelihood":
            assert [greedy for _, greedy in expected] == [greedy for _, greedy in answers]
            assert pytest.approx([v for v, _ in expected], abs=1e-5) == [v for v, _ in answers]
        else:
            assert pytest.approx(expected, rel=1e-5) == answers


def test_trees_are_halved_between_rows(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that hold several requests keep them."""
    lm = opened(model_folder)
    prepared = lm.prepare([Request("loglikelihood", pair, "item") for pair in PAIRS])
    assert any(batch.depths is not None for batch in prepared.tokens)
    expected = lm.answer(prepared)
    make_small(lm, 1, ERRORS[0], monkeypatch)
    assert pytest.approx([v for v, _ in expected], abs=1e-5) == [v for v, _ in lm.answer(prepared)]


def test_a_row_that_does_not_fit_alone_is_a_failure(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The item is named, and the cause is the machine's memory, not the candidate."""
    lm = opened(model_folder)
    prepared = lm.prepare([Request("loglikelihood", PAIRS[0], "task t, item 7")])
    make_small(lm, 0, ERRORS[1], monkeypatch)
    said = "task t, item 7: does not fit the memory, though"
    with pytest.raises(EvaluationError, match=said) as caught:
        lm.answer(prepared)
    assert isinstance(caught.value.__cause__, MemoryError)


def test_sampled_texts_are_halved(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text draws from a generator of its own, so that it is the same in any batch."""
    lm = opened(model_folder)
    how = {"until": ["e"], "max_gen_toks": 9, "do_sample": True, "temperature": 1.0}
    asked = [Request("generate_until", (word, how), f"item {word}") for word in ("ab", "bcd")]
    prepared = lm.prepare(asked)
    expected = lm.answer(prepared)
    small = make_small(lm, 1, ERRORS[0], monkeypatch)
    assert expected == lm.answer(prepared)
    assert small.num_failed == 1


def test_other_errors_are_not_taken_for_short_memory() -> None:
    """Only what says so is; a fault of another kind goes through."""
    assert [True] * 3 == [is_out_of_memory(error) for error in ERRORS]
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shape '[2, 3]' is invalid"))
    assert not is_out_of_memory(ValueError("out of memory"))
