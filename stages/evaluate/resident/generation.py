"""Greedy generation that rows leave when they end, and what watches it: stop strings, and NaN."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from stages.errors import EvaluationError

_REMEMBERED = 1 << 16  # windows of tokens, per tokenizer and set of stop strings
_WORTH = 1 / 4  # of the rows must have ended for the others to be copied into a smaller batch


class Stops:
    """The stop strings of a task, as a tokenizer writes them."""

    def __init__(self, tokenizer: Any, strings: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._strings = [string for string in strings if string]
        self._encoded = [tokenizer.encode(s, add_special_tokens=False) for s in self._strings]
        # Two more, as a stop string may come in other tokens than it is encoded to.
        self.window = max(map(len, self._encoded), default=0) + 2
        # The same few windows come again and again: for every row, and every candidate.
        self.may_end = lru_cache(_REMEMBERED)(self.ends)

    def ends(self, tokens: Sequence[int]) -> bool:
        """Return whether the text of ``tokens`` holds a stop string."""
        text = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return any(string in text for string in self._strings)

    def are_text(self, ends: Sequence[int | None]) -> bool:
        """Return whether no string needs a special token, but for those that end a generation."""
        special = set(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}
        return all(
            special.isdisjoint(tokens) or (len(tokens) == 1 and tokens[0] in ends)
            for tokens in self._encoded
        )


@lru_cache(64)
def stops_at(tokenizer: Any, strings: tuple[str, ...]) -> Stops:
    """Return the stop strings with their memory of what was seen before."""
    return Stops(tokenizer, strings)


class StopWatch(StoppingCriteria):  # type: ignore[misc]  # transformers has no types
    """Ends each row of a batch at its own first stop string."""

    def __init__(self, stops: Stops, start: int, num_rows: int) -> None:
        self._stops = stops
        self._start = start
        self._done = torch.zeros(num_rows, dtype=torch.bool)

    def __call__(self, input_ids: Tensor, *_: object, **__: object) -> Tensor:
        """Return which rows are at their end."""
        latest = max(self._start, input_ids.shape[1] - self._stops.window)
        for row, window in enumerate(input_ids[:, latest:].tolist()):
            if not self._done[row] and self._stops.may_end(tuple(window)):
                self._done[row] = self._stops.ends(input_ids[row, self._start :].tolist())
        return self._done.to(input_ids.device)

    def keep(self, rows: Tensor) -> None:
        """Watch these rows of the batch only from now on."""
        self._done = self._done[rows.cpu()]


class RefuseNaN(LogitsProcessor):  # type: ignore[misc]  # transformers has no types
    """Remembers which rows had a NaN among their logits; the logits pass unchanged."""

    def __init__(self, num_rows: int) -> None:
        self._seen = torch.zeros(num_rows, dtype=torch.bool)
        self._rows = torch.arange(num_rows)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002  HF's names
        """Return ``scores``."""
        self._seen[self._rows] |= scores.isnan().any(dim=-1).cpu()
        return scores

    def keep(self, rows: Tensor) -> None:
        """Be shown these rows of the batch only from now on."""
        self._rows = self._rows[rows.cpu()]

    def check(self, items: Sequence[str]) -> None:
        """Check that none was seen.

        Raises:
            EvaluationError: one was; the item of the first row that had it is named.
        """
        if bool(self._seen.any()):
            first = items[int(self._seen.nonzero()[0])]
            raise EvaluationError(
                f"{first}: the model's logits are NaN. The merged weights are not usable; this "
                "candidate has no score."
            )


class Greedy:
    """Greedy decoding as ``generate`` does it, but that rows which have ended leave the batch.

    The model must take positions and a mask, and its cache be one that rows can be taken from.
    """

    def __init__(self, watch: StopWatch, nan: RefuseNaN) -> None:
        self._watchers = (watch, nan)

    def __call__(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **held: Any,
    ) -> Tensor:
        """Return prompts and what follows them, padded on the right."""
        said = list(input_ids)
        rows = torch.arange(len(said), device=input_ids.device)
        has_ended = torch.zeros_like(rows, dtype=torch.bool)
        latest = input_ids
        while True:
            logits = model(input_ids=latest, **held).logits[:, -1].float()
            latest = logits_processor(input_ids, logits).argmax(dim=-1, keepdim=True)
            input_ids = torch.cat([input_ids, latest], dim=1)
            ends = stopping_criteria(input_ids, ()) & ~has_ended
            for place in ends.nonzero().flatten().tolist():
                said[int(rows[place])] = input_ids[place]
            has_ended |= ends
            if bool(has_ended.all()):
                padding = generation_config.pad_token_id
                return pad_sequence(said, batch_first=True, padding_value=padding)
            held |= _one_further(held)
            if has_ended.sum() >= _WORTH * len(rows):
                left = (~has_ended).nonzero().flatten()
                for watcher in self._watchers:
                    watcher.keep(left)
                held["past_key_values"].batch_select_indices(left)
                held |= {name: held[name][left] for name in _one_further(held)}
                rows, latest, input_ids = rows[left], latest[left], input_ids[left]
                has_ended = has_ended[left]


def _one_further(held: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return positions and mask of the token after; where no prompt is padded there are none."""
    found = {}
    if held.get("position_ids") is not None:
        found["position_ids"] = held["position_ids"][:, -1:] + 1
    if held.get("attention_mask") is not None:
        mask = held["attention_mask"]
        found["attention_mask"] = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return found


def loop_of(
    model: Any, kwargs: Mapping[str, Any], stopping: Sequence[object], nan: RefuseNaN
) -> Greedy | None:
    """Return a loop that rows leave when they end; None where only ``generate``'s own will do.

    That is where more is asked for than greedy decoding, or the batch ends as a whole.
    """
    config = model.generation_config
    is_plain = kwargs == {"do_sample": False} and (config.num_beams or 1) == 1
    watches = [criterion for criterion in stopping if isinstance(criterion, StopWatch)]
    if not watches or not is_plain or config.cache_implementation:
        return None
    return Greedy(watches[0], nan)
