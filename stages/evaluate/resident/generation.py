"""Generate texts in a batch that rows leave when they end; watch for stop strings and NaN."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from stages.errors import EvaluationError

_REMEMBERED = 1 << 16  # windows of tokens, per tokenizer and set of stop strings
_WORTH = 1 / 4  # share of ended rows from which the others are copied into a smaller batch


class Stops:
    """The stop strings of a task, as a tokenizer writes them."""

    def __init__(self, tokenizer: Any, strings: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        # Two more tokens, as a stop string may come in other tokens than it is encoded to.
        self._windows = {
            s: len(tokenizer.encode(s, add_special_tokens=False)) + 2 for s in strings
        }
        self.window = max(self._windows.values(), default=0)
        # The same few windows come again and again: for every row, and every candidate.
        self.end = lru_cache(_REMEMBERED)(self._end)

    def _end(self, tokens: Sequence[int]) -> bool:
        """Return whether the last tokens of a text hold a stop string, as lm-eval looks for it."""
        return any(
            string in self._tokenizer.decode(list(tokens[-window:]))
            for string, window in self._windows.items()
        )


@lru_cache(64)
def stops_at(tokenizer: Any, strings: tuple[str, ...]) -> Stops:
    """Return the stop strings with their cache of windows seen before."""
    return Stops(tokenizer, strings)


class StopWatch(StoppingCriteria):  # type: ignore[misc]  # transformers has no types
    """Ends each row of a batch at its own first stop string, as lm-eval ends a batch of one.

    Beams are rows of one prompt: once the likeliest holds a stop string, all of them end.
    """

    def __init__(self, stops: Stops, start: int, num_rows: int) -> None:
        self._stops = stops
        self._start = start
        self._done = torch.zeros(num_rows, dtype=torch.bool)

    def __call__(self, input_ids: Tensor, *_: object, **__: object) -> Tensor:
        """Return which rows have ended."""
        num_beams = len(input_ids) // len(self._done)
        latest = max(self._start, input_ids.shape[1] - self._stops.window)
        for row, window in enumerate(input_ids[::num_beams, latest:].tolist()):
            if not self._done[row]:
                self._done[row] = self._stops.end(tuple(window))
        return self._done.to(input_ids.device).repeat_interleave(num_beams)


class RefuseNaN(LogitsProcessor):  # type: ignore[misc]  # transformers has no types
    """Remembers which prompts had a NaN among their logits; the logits pass unchanged."""

    def __init__(self, num_prompts: int) -> None:
        self._seen = torch.zeros(num_prompts, dtype=torch.bool)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002  HF's names
        """Return ``scores``; with beam search, a prompt has several rows of them."""
        is_nan = scores.isnan().any(dim=-1).view(len(self._seen), -1)
        self._seen |= is_nan.any(dim=-1).cpu()
        return scores

    def check(self, items: Sequence[str]) -> None:
        """Check that no prompt had a NaN.

        Raises:
            EvaluationError: a prompt had one; the message names the item of the first.
        """
        if bool(self._seen.any()):
            first = items[int(self._seen.nonzero()[0])]
            raise EvaluationError(
                f"{first}: the model's logits are NaN. The merged weights are not usable; this "
                "candidate has no score."
            )


class RowByRow:
    """Decoding as ``generate`` does it for each prompt alone, in a batch that rows leave.

    A row that has ended leaves the batch. Where texts are sampled, each row draws from its own
    generator. The model must take positions and a mask, and its cache must let rows be selected.
    The prompts are read in the context that ``first_pass`` gives for the cache.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        first_pass: Callable[[Any], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._seeds = seeds
        self._first_pass = first_pass

    def __call__(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **inputs: Any,
    ) -> Tensor:
        """Return prompts and what follows them, padded on the right."""
        pick = self._picker(input_ids.device) if generation_config.do_sample else _likeliest
        padding = generation_config.pad_token_id
        rows = torch.arange(
            len(input_ids), device=input_ids.device
        )  # rows that are still generated
        has_ended = torch.zeros_like(rows, dtype=torch.bool)
        latest = input_ids
        reading = self._first_pass(inputs.get("past_key_values"))
        while True:
            with reading:
                logits = model(input_ids=latest, **inputs).logits[:, -1].float()
            reading = nullcontext()
            # Processors may keep something for each row, so they are always shown all of them.
            whole = logits.new_zeros(len(input_ids), logits.shape[-1]).index_copy_(0, rows, logits)
            picked = pick(logits_processor(input_ids, whole)[rows], rows)
            latest = torch.where(has_ended[rows], padding, picked)[:, None]
            following = torch.full_like(input_ids[:, :1], padding).index_copy_(0, rows, latest)
            input_ids = torch.cat([input_ids, following], dim=1)
            has_ended |= stopping_criteria(input_ids, ())
            if bool(has_ended.all()):
                return input_ids
            inputs |= _one_further(inputs)
            if has_ended[rows].sum() >= _WORTH * len(rows):
                left = (~has_ended[rows]).nonzero().flatten()
                inputs["past_key_values"].batch_select_indices(left)
                inputs |= {name: inputs[name][left] for name in _one_further(inputs)}
                rows, latest = rows[left], latest[left]

    def _picker(self, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
        generators = [torch.Generator(device).manual_seed(seed) for seed in self._seeds]

        def pick(scores: Tensor, rows: Tensor) -> Tensor:
            chances = scores.softmax(dim=-1)
            return torch.cat(
                [
                    torch.multinomial(chances[i : i + 1], 1, generator=generators[row])[:, 0]
                    for i, row in enumerate(rows.tolist())
                ]
            )

        return pick


def _likeliest(scores: Tensor, _: Tensor) -> Tensor:
    return scores.argmax(dim=-1)


def _one_further(inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the next token's positions and mask; empty where no prompt is padded."""
    further = {}
    if inputs.get("position_ids") is not None:
        further["position_ids"] = inputs["position_ids"][:, -1:] + 1
    if inputs.get("attention_mask") is not None:
        mask = inputs["attention_mask"]
        further["attention_mask"] = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return further
