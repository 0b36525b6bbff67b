"""Tasks from data files are scored as the same tasks in lm-eval's YAML."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import SPLITS, Evaluation
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.data_files.conftest import colours

MakeParams = Callable[..., EvaluateParams]

SHORT = {"gen_kwargs": {"max_gen_toks": 12}}
WHOLE = {"search": 10, "validation": 10, "test": 20}


def scored(folder: Path, params: EvaluateParams, split: str = "search") -> Evaluation:
    """Return what the model in ``folder`` scores."""
    return ResidentEvaluator(folder, params, Suite.load(params)).evaluate(split)


def by_prompt(folder: Path, params: EvaluateParams) -> dict[str, float]:
    """Return the score of every item of the one task, by what is asked.

    Where the metric has none for a single item, it is the item's log-likelihood.
    """
    suite = Suite.load(params)
    evaluator = ResidentEvaluator(folder, params, suite)
    scores: dict[str, float] = {}
    for split in SPLITS:
        (part,) = suite.parts[split]
        rows = evaluator.evaluate(split).items
        (ready,) = evaluator.prepare(split)
        for row in rows:
            doc = part.loaded.task.eval_docs[part.places[row.item]]
            answer = ready.instances[row.item][0].resps[0]
            score = float(answer) if row.score is None else row.score
            scores[doc.get("prompt") or doc["text"]] = score
    return scores


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("own", "in_yaml"),
    [
        ({"data": "data/sums.jsonl", "scorer": "mine.py:score", **SHORT}, "yaml_sums"),
        (colours(fewshot="data/shown.csv"), "yaml_colours"),
        ({"data": "data/prose.jsonl"}, "yaml_prose"),
    ],
)
def test_data_file_scores_as_the_same_task_in_yaml(
    make_params: MakeParams, model_folder: Path, own: dict[str, Any], in_yaml: str
) -> None:
    """Prompts, few-shot examples and scores are those of lm-eval, item for item."""
    gen = {"gen_kwargs": {"until": ["\n"]}}
    expected = by_prompt(model_folder, make_params(in_yaml, splits=WHOLE, **gen))

    scores = by_prompt(model_folder, make_params(own, splits=WHOLE, **gen))

    assert 40 == len(scores)
    assert len(set(scores.values())) > 1
    assert sorted(expected) == sorted(scores)
    assert expected == pytest.approx(scores, rel=1e-6)


@pytest.mark.usefixtures("files")
def test_labels_and_metrics_are_those_of_the_kind(
    make_params: MakeParams, model_folder: Path
) -> None:
    """A file's stem is its label, unless a name is given; each kind has its metric."""
    sums = {"data": "data/sums.jsonl", **SHORT}
    params = make_params(
        colours(),
        sums,
        {**sums, "kind": "numeric", "name": "totals"},
        {**sums, "metric": "numeric", "name": "read_as_numbers"},
        {"data": "data/prose.jsonl", "metric": "bits_per_byte"},
    )

    scores = scored(model_folder, params).tasks

    expected = [
        ("colours", "acc", True),
        ("sums", "exact_match", True),
        ("totals", "numeric", True),
        ("read_as_numbers", "numeric", True),
        ("prose", "bits_per_byte", False),
    ]
    assert expected == [(t.task, t.metric, t.higher_is_better) for t in scores]


@pytest.mark.usefixtures("files")
def test_kinds_differ_in_where_a_text_ends(make_params: MakeParams) -> None:
    """An exact match is one line, a number may end a derivation; gen_kwargs say otherwise."""
    sums = {"data": "data/sums.jsonl"}
    params = make_params(
        sums,
        {**sums, "kind": "numeric", "name": "b"},
        {**sums, "scorer": "mine.py:score", "name": "c"},
        {**sums, "name": "d", "gen_kwargs": {"max_gen_toks": 5}},
        {**sums, "name": "e", "gen_kwargs": {"max_new_tokens": 4}},
        gen_kwargs={"max_gen_toks": 9},
    )

    parts = Suite.load(params).parts["search"]

    arguments = [part.loaded.task.get_config("generation_kwargs") for part in parts]
    assert [["\n"], ["\n\n"], [], ["\n"], ["\n"]] == [kwargs["until"] for kwargs in arguments]
    assert [9, 9, 9, 5, None] == [kwargs.get("max_gen_toks") for kwargs in arguments]
    assert 4 == arguments[-1]["max_new_tokens"]
