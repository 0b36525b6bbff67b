"""Where a generated text stops."""

from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList, StoppingCriteriaList

from stages.errors import EvaluationError
from stages.evaluate.resident.generation import RefuseNaN, RowByRow, StopWatch, stops_at
from tests.evaluate.conftest import pico_tokenizer
from tests.evaluate.resident.test_tree_attention import READERS, random_model


def test_each_row_stops_at_its_own_string() -> None:
    """Rows end where one of the strings is complete, whatever the prompt holds."""
    tokenizer = pico_tokenizer()
    texts = ["x;y;ab;c", "x;y;abcd", "x;y;a.bc"]
    tokens = torch.tensor([tokenizer.encode(text) for text in texts])
    watch = StopWatch(stops_at(tokenizer, ("b;", ".b")), start=4, num_rows=3)
    seen = [watch(tokens[:, :length]).tolist() for length in range(5, 9)]
    assert seen == [
        [False, False, False],
        [False, False, False],
        [True, False, True],
        [True, False, True],
    ]


def test_special_tokens_and_the_empty_string_stop_a_row() -> None:
    """As in lm-eval: a stop string may be a special token; the empty one is in every token."""
    tokenizer = pico_tokenizer()
    tokens = torch.tensor([[5, tokenizer.eos_token_id], [5, 6]])
    watch = StopWatch(stops_at(tokenizer, ("</s>",)), start=0, num_rows=2)
    assert [True, False] == watch(tokens).tolist()
    watch = StopWatch(stops_at(tokenizer, ("",)), start=1, num_rows=2)
    assert watch(tokens).all()


def test_beams_end_with_the_likeliest() -> None:
    """Of the rows of one prompt the first decides for all."""
    tokenizer = pico_tokenizer()
    tokens = torch.tensor([tokenizer.encode(text) for text in ("ab", "xx", "xx", "ab")])
    watch = StopWatch(stops_at(tokenizer, ("b",)), start=0, num_rows=2)
    assert [True, True, False, False] == watch(tokens).tolist()


def test_nan_is_remembered_by_row() -> None:
    """The first row that had a NaN at any step is the one named."""
    nan = RefuseNaN(2)
    prompt = torch.zeros(2, 1)
    fine, broken = torch.zeros(2, 3), torch.tensor([[0.0, 0, 0], [0, float("nan"), 0]])
    for scores in (fine, broken, fine):
        assert nan(prompt, scores) is scores
    with pytest.raises(EvaluationError, match="second: the model's logits are NaN"):
        nan.check(["first", "second"])


@pytest.mark.parametrize("settings", [{}, {"repetition_penalty": 1.5, "no_repeat_ngram_size": 3}])
@pytest.mark.parametrize("kind", READERS)
def test_rows_that_leave_say_what_they_said_in_the_batch(
    kind: str, settings: dict[str, Any]
) -> None:
    """Prompts of several lengths, ends at several steps: every token is that of ``generate``."""
    changes = {"vocab_size": 52, "eos_token_id": 2, "bos_token_id": 1}
    model: Any = random_model(kind, READERS[kind] | changes, attn_implementation="eager")
    tokenizer = pico_tokenizer()
    prompts = torch.tensor([[0] * (i % 4) + list(range(5 + i, 11 + i - i % 4)) for i in range(24)])

    def said(is_pruned: bool) -> list[list[int]]:
        nan, watch = RefuseNaN(24), StopWatch(stops_at(tokenizer, tuple("acegikmoqsuwy")), 6, 24)
        stopping = StoppingCriteriaList([watch])
        seen: list[int] = []
        hook = model.register_forward_hook(lambda *a: seen.append(len(a[2].logits)))
        written = model.generate(
            input_ids=prompts,
            attention_mask=(prompts != 0).long(),
            max_length=26,
            do_sample=False,
            pad_token_id=0,
            stopping_criteria=stopping,
            logits_processor=LogitsProcessorList([nan]),
            custom_generate=RowByRow(()) if is_pruned else None,
            **settings,
        )
        hook.remove()
        assert (min(seen) < 24) == is_pruned
        rows: list[list[int]] = written.tolist()
        return [row[:6] + [token for token in row[6:] if token] for row in rows]

    assert said(is_pruned=False) == said(is_pruned=True)
