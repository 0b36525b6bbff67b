"""What the card of a published model says besides its recipe: how to load it, what it scored."""

from collections.abc import Iterator, Mapping
from typing import Any

from flows.publishing.run_model import RunModel
from stages.lineage.evaluation import SPLITS, TaskScore
from stages.merge.plan.plan import Plan

_KINDS = {
    "champion": "the champion of its run",
    "candidate": "a candidate of its run",
    "parent": "a parent of the run, in the dtype of its merges",
    "base": "the base of the run, in the dtype of its merges",
    "baseline": "a baseline of its run: a fixed recipe that nobody searched for",
    "tuned": "a baseline of its run: the best of some recipes that a person would try",
}
_SPLITS = {
    "search": "the search items steered the search, so scores on them are lucky",
    "validation": "the validation items chose the champion",
    "test": "the test items were read once, after the choice",
}


def sections(model: RunModel, plan: Plan, source: str) -> str:
    """Return the sections of the card of ``model``; ``source`` is what transformers loads."""
    return f"""
This model, `{model.name}`, is {_KINDS[model.kind]}.

## Use

```python
from transformers import {_auto_class(plan)}, AutoTokenizer

model = {_auto_class(plan)}.from_pretrained("{source}")
tokenizer = AutoTokenizer.from_pretrained("{source}")
```

## Scores

{score_table(model)}
## Recipe
"""


def score_table(model: RunModel) -> str:
    """Return the scores of each split with their standard errors over items."""
    lines = list(_lines(model))
    if not lines:
        return "It was never scored.\n"
    notes = "; ".join(_SPLITS[split] for split in SPLITS if split in model.scores)
    head = "| split | task | metric | score | items |\n|---|---|---|---|---|"
    return "\n".join([head, *lines]) + f"\n\nErrors are standard errors over items; {notes}.\n"


def _lines(model: RunModel) -> Iterator[str]:
    for split in (split for split in SPLITS if split in model.scores):
        for task, score in sorted(model.scores[split].items()):
            error = _as_score(task, score).shown_error
            estimate = f", estimated ({score['estimator']})" if "estimator" in score else ""
            metric = score["metric"] + ("" if score["higher_is_better"] else ", lower is better")
            yield (
                f"| {split} | {_cell(task)} | {_cell(metric)} "
                f"| {score['score']:.3f} ± {error:.3f} | {score['num_items']}{estimate} |"
            )


def _as_score(task: str, data: Mapping[str, Any]) -> TaskScore:
    return TaskScore.from_dict({"task": task, **data})


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _auto_class(plan: Plan) -> str:
    """Return the class of transformers that loads the child with its head."""
    (architecture, *_) = plan.config.get("architectures") or [""]
    return "AutoModelForCausalLM" if architecture.endswith("ForCausalLM") else "AutoModel"
