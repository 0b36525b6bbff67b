"""What watches a generation: the stop strings of a task, and NaN."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from stages.errors import EvaluationError

_REMEMBERED = 1 << 16  # windows of tokens, per tokenizer and set of stop strings


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


class RefuseNaN(LogitsProcessor):  # type: ignore[misc]  # transformers has no types
    """Remembers which rows had a NaN among their logits; the logits pass unchanged."""

    def __init__(self) -> None:
        self._seen: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002  HF's names
        """Return ``scores``."""
        found = scores.isnan().any(dim=-1)
        self._seen = found if self._seen is None else self._seen | found
        return scores

    def check(self, items: Sequence[str]) -> None:
        """Check that none was seen.

        Raises:
            EvaluationError: one was; the item of the first row that had it is named.
        """
        if self._seen is not None and bool(self._seen.any()):
            first = items[int(self._seen.nonzero()[0])]
            raise EvaluationError(
                f"{first}: the model's logits are NaN. The merged weights are not usable; this "
                "candidate has no score."
            )
