"""What a model was asked and answered, item by item, in words."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from stages.evaluate.evaluator import Ready
from stages.lineage.outcome import ItemAnswer

_MAX_CHARACTERS = 2_000  # of a prompt or an answer: its end, where the question stands


def answers_of(ready: Sequence[Ready]) -> Iterator[ItemAnswer]:
    """Yield what was asked and answered last, in the order of the documents.

    Of choices the answer is the likeliest one, per character where the metric is ``acc_norm``.
    A right answer is given where it is a text or one of the choices, and the task has no Python
    of its own, which could draw.
    """
    for one in ready:
        label, loaded = one.part.label, one.part.loaded
        for item, asked in one.instances.items():
            prompt = str(asked[0].args[0])
            choices = _choices(asked, is_normalised=loaded.metric == "acc_norm")
            target = None
            if not loaded.has_code:
                target = _target(loaded.task.doc_to_target(one.prompts.document(item)), choices)
            yield label, item, _end(prompt), target, _end(_answer(asked, choices))


def _choices(asked: Sequence[Any], *, is_normalised: bool) -> dict[str, float]:
    """Return the log-likelihood of each choice, per character where ``is_normalised``."""
    scored = [one for one in asked if one.request_type == "loglikelihood"]
    return {
        str(one.args[-1]): one.resps[0][0] / (len(str(one.args[-1])) if is_normalised else 1)
        for one in scored
    }


def _answer(asked: Sequence[Any], choices: dict[str, float]) -> str:
    if choices:
        return max(choices, key=lambda choice: _known(choices[choice])).strip()
    first = asked[0]
    if first.request_type == "generate_until":
        return "\n".join(str(text) for one in asked for text in one.resps)
    return f"log-likelihood {float(first.resps[0]):.1f}"


def _target(target: Any, choices: dict[str, float]) -> str | None:
    if isinstance(target, str):
        return _end(target)
    texts = list(choices)
    if isinstance(target, int) and 0 <= target < len(texts):
        return texts[target].strip()
    return None


def _known(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _end(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else "… " + text[-_MAX_CHARACTERS:]
