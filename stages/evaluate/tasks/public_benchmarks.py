"""Warn of public test sets: a model evolved on one has no honest score on it any more.

A caution names the split to use instead: another split of the lm-eval task where it has one, else
that of the table. It is shown and reported, never an error: a test set may be all there is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from stages.evaluate.tasks.lm_eval_task import LoadedTask
from stages.evaluate.tasks.suite import Suite
from stages.params.task_params import is_data

_MUSR = ("murder_mysteries", "object_placements", "team_allocation")
_NO_OTHER = "it has no other split: search on other data, and keep this set for the end"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark: the names of its tasks or data set, and the split that judges."""

    name: str
    pattern: str  # found at the start of a word of the task's name, or in dataset_path
    judged_by: tuple[str, ...] = ("test",)
    instead: str = _NO_OTHER
    is_alone: bool = False  # its other splits hold too few items to search on


KNOWN = (
    Benchmark("MMLU-Pro", r"mmlu[_-]?pro", instead="MMLU's validation split", is_alone=True),
    Benchmark("MMLU", r"\w*mmlu", instead="its validation split, or auxiliary_train"),
    Benchmark("MGSM", r"mgsm", instead="GSM8K's train split, translated", is_alone=True),
    Benchmark("GSM8K", r"gsm[_-]?(8k|plus)", instead="its train split"),
    Benchmark("MATH", r"(hendrycks|minerva)_math|math[_-]?500", instead="its train split"),
    Benchmark("AIME", r"aime", ("test", "train")),
    Benchmark("ARC", r"(ai2_)?arc([_-]|$)", instead="its train or validation split"),
    Benchmark("HellaSwag", r"\w*hellaswag", ("validation",), "its train split"),
    Benchmark("WinoGrande", r"\w*winogrande", ("validation",), "its train split"),
    Benchmark("TruthfulQA", r"truthful_?qa", ("validation",)),
    Benchmark("HumanEval", r"(openai_)?humaneval", instead="MBPP's train split"),
    Benchmark("MBPP", r"mbpp", instead="its train or validation split"),
    Benchmark("IFEval", r"ifeval", ("train", "test")),
    Benchmark("GPQA", r"gpqa", ("train", "test")),
    Benchmark("BIG-Bench Hard", r"(bbh|big_?bench_?hard)", ("test", "train")),
    Benchmark("MuSR", r"musr", _MUSR),
    Benchmark("PIQA", r"piqa", ("validation",), "its train split"),
    Benchmark("BoolQ", r"boolq", ("validation",), "its train split"),
    Benchmark("OpenBookQA", r"openbookqa", instead="its train or validation split"),
    Benchmark("CommonsenseQA", r"commonsense_?qa", ("validation",), "its train split"),
    Benchmark("Social IQa", r"(social_?iqa|siqa)", ("validation",), "its train split"),
    Benchmark("TriviaQA", r"triviaqa", ("validation",), "its train split"),
    Benchmark("Natural Questions", r"nq_open", ("validation", "test"), "its train split"),
    Benchmark("DROP", r"drop$", ("validation",), "its train split"),
    Benchmark("SQuAD", r"squad", ("validation",), "its train split"),
    Benchmark("LAMBADA", r"lambada", instead="its train or validation split"),
    Benchmark("XNLI", r"xnli", ("validation", "test"), "its train split"),
    Benchmark("XCOPA", r"xcopa", instead="its validation split"),
    Benchmark("Belebele", r"belebele"),
    Benchmark("AGIEval", r"agieval"),
    Benchmark("C-Eval", r"ceval", ("val", "test"), "its dev split"),
)


def cautions(suite: Suite) -> tuple[str, ...]:
    """Return one sentence for each public test set that steers the search or the choice."""
    steering = [part.loaded for split in ("search", "validation") for part in suite.parts[split]]
    sentences = {loaded.name: _caution(loaded) for loaded in steering}
    return tuple(text for text in sentences.values() if text is not None)


def _caution(loaded: LoadedTask) -> str | None:
    if is_data(loaded.name):
        stem = PurePath(loaded.name).stem
        split = "train" if "train" in stem.lower() else "test"
        known, others = _known(stem, "", split), []
    else:
        config = loaded.task.config
        split = config.test_split or config.validation_split or ""
        known = _known(loaded.name, str(config.dataset_path or ""), split)
        others = _other_splits(config, split)
    if known is None:
        return None
    has_other = bool(others) and not known.is_alone
    instead = f"its {' or '.join(others)} split" if has_other else known.instead
    advice = f"{instead}, as a task of your own" if instead != _NO_OTHER else instead
    return (
        f"task {loaded.name}: these are items of the public test set {known.name}. A model that "
        f"was evolved on them has no honest {known.name} score any more. Use instead: {advice} "
        "(docs/tasks.md)."
    )


def _known(name: str, dataset: str, split: str) -> Benchmark | None:
    """Return the test set that ``name`` or ``dataset`` means, if its ``split`` judges."""
    words = [name, *dataset.split("/")]
    for known in KNOWN:
        start = re.compile(rf"(^|[_\-.]){known.pattern}", re.IGNORECASE)
        if any(start.search(word) for word in words):
            return known if split in known.judged_by else None
    return None


def _other_splits(config: Any, scored: str) -> list[str]:
    """Return the task's splits for training and validation, without the ``scored`` one."""
    named: Mapping[str, None] = dict.fromkeys(
        name for name in (config.training_split, config.validation_split) if name
    )
    return [name for name in named if name != scored]
