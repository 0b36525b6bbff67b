"""Where a generated text stops."""

import pytest
import torch

from stages.errors import EvaluationError
from stages.evaluate.generation import RefuseNaN, StopWatch, stops_at
from tests.evaluate.conftest import pico_tokenizer


def test_each_row_stops_at_its_own_string() -> None:
    """Rows end where one of the strings is complete, whatever the prompt holds."""
    tokenizer = pico_tokenizer()
    texts = ["x;y;ab;c", "x;y;abcd", "x;y;a.bc"]
    tokens = torch.tensor([tokenizer.encode(text) for text in texts])
    watch = StopWatch(stops_at(tokenizer, ("b;", ".b", "")), start=4, num_rows=3)
    seen = [watch(tokens[:, :length]).tolist() for length in range(5, 9)]
    assert seen == [
        [False, False, False],
        [False, False, False],
        [True, False, True],
        [True, False, True],
    ]


def test_special_tokens_are_no_text() -> None:
    """The end-of-text token does not stop a row here: the model's own config does."""
    tokenizer = pico_tokenizer()
    watch = StopWatch(stops_at(tokenizer, ("</s>",)), start=0, num_rows=1)
    assert not watch(torch.tensor([[5, tokenizer.eos_token_id]])).any()


def test_special_tokens_are_left_to_the_batch() -> None:
    """Only strings that the text shows, and the model's own end, can end a single row."""
    tokenizer = pico_tokenizer()
    assert stops_at(tokenizer, ("b;", "</s>")).are_text([tokenizer.eos_token_id])
    assert stops_at(tokenizer, ("b;", "Z")).are_text([None])  # no token of its own: unknown
    assert not stops_at(tokenizer, ("b;", "</s>")).are_text([None])
    assert not stops_at(tokenizer, ("<s>",)).are_text([tokenizer.eos_token_id])


def test_nan_is_remembered_by_row() -> None:
    """The first row that had a NaN at any step is the one named."""
    nan = RefuseNaN(2)
    prompt = torch.zeros(2, 1)
    fine, broken = torch.zeros(2, 3), torch.tensor([[0.0, 0, 0], [0, float("nan"), 0]])
    for scores in (fine, broken, fine):
        assert nan(prompt, scores) is scores
    with pytest.raises(EvaluationError, match="second: the model's logits are NaN"):
        nan.check(["first", "second"])
