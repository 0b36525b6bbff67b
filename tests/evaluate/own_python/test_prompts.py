"""Drawn prompts are lm-eval's own, and each candidate is scored on fresh documents."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError
from stages.evaluate.arguments.prompt_arguments import PromptArguments
from stages.evaluate.own_python.random_state import RandomState
from stages.evaluate.prompts import build
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.own_python.conftest import MakeSuite, row, write_task

PARAMS = EvaluateParams.model_validate({"tasks": [{"task": "own"}]})
DRAWING = """
import random
import numpy as np
import torch

OWN = random.Random(7)
FIRST = random.random()


def text(doc):
    drawn = [random.random(), np.random.rand(), torch.rand(1).item(), OWN.random(), FIRST]
    return doc["q"] + " ".join(map(str, drawn))


def score(doc, results):
    return {"ok": 1.0}
"""
MUTATING = """
import random


def text(doc):
    doc["options"].reverse()
    return doc["q"] + doc["options"][0]


def score(doc, results):
    gold = doc.pop("a")
    doc["options"].clear()
    return {"ok": len(gold + results[0]) % 7 + random.random()}
"""


def prompts_of_lm_eval(folder: Path) -> list[str]:
    """Return the prompts of all documents, as lm-eval's simple_evaluate builds them."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    results = simple_evaluate(
        model="dummy", tasks=["own"], task_manager=manager, batch_size=1, bootstrap_iters=0
    )
    return [row["arguments"][0][0] for row in results["samples"]["own"]]


def test_drawn_prompts_are_those_of_lm_eval(own: Path, load: MakeSuite) -> None:
    """From each generator and from one of the task's own, at import too, in every split."""
    (own / "tasks" / "code.py").write_text(DRAWING)
    write_task(own, doc_to_text="!function code.text")
    suite = load()
    before = RandomState.now()
    drawn: dict[int, Any] = {}
    for split in ("test", "search", "validation"):
        part = suite.parts[split][0]
        prompts = build("own", part.loaded, part.places, PromptArguments.of(PARAMS))
        drawn |= {part.places[i]: asked[0].args[0] for i, asked in prompts.instances.items()}
    assert before.is_now()
    expected = prompts_of_lm_eval(own / "tasks")
    assert len(set(expected)) == len(expected)
    assert drawn == {document: expected[document] for document in drawn}


@pytest.mark.parametrize("key", ["doc_to_text", "doc_to_target"])
def test_half_a_character_is_refused(own: Path, load: MakeSuite, key: str) -> None:
    """Nothing that UTF-8 cannot write is asked or compared, and the task is named."""
    half = "def half(doc):\n    return doc['q'] + chr(0xDC80)\n"
    score = "def score(doc, results):\n    return {'ok': 1.0}\n"
    (own / "tasks" / "code.py").write_text(half + score)
    write_task(own, **{key: "!function code.half"})

    with pytest.raises(EvaluationError, match=r"task own: .* holds half a character"):
        load()


def test_examples_changed_in_place_are_fresh_each_time(own: Path, load: MakeSuite) -> None:
    """An example has one answer wherever it is shown; lm_eval's depends on the uses before."""
    (own / "data" / "train.jsonl").write_text(json.dumps(row(100)) + "\n" + json.dumps(row(101)))
    (own / "tasks" / "code.py").write_text(
        "def options(doc):\n    doc['options'].reverse()\n    return doc['options']\n"
    )
    files = {"test": "data/own.jsonl", "train": "data/train.jsonl"}
    write_task(
        own,
        dataset_kwargs={"data_files": files},
        training_split="train",
        output_type="multiple_choice",
        generation_kwargs=None,
        process_results=None,
        doc_to_choice="!function code.options",
        doc_to_target=0,
        num_fewshot=1,
        metric_list=[{"metric": "acc"}],
    )
    part = load(num_fewshot=1).parts["search"][0]
    prompts = build("own", part.loaded, part.places, PromptArguments.of(PARAMS))
    shown = {asked[0].args[0].partition("\n\n")[0] for asked in prompts.instances.values()}
    assert shown == {"is it 100? z100", "is it 101? z101"}
    of_lm_eval = {text.partition("\n\n")[0] for text in prompts_of_lm_eval(own / "tasks")}
    assert of_lm_eval > shown


def test_scores_do_not_depend_on_candidates_before(
    own: Path, load: MakeSuite, model_folder: Path, other_model_folder: Path
) -> None:
    """What scoring takes off a document and draws is the same for every candidate."""
    (own / "tasks" / "code.py").write_text(MUTATING)
    write_task(own, doc_to_text="!function code.text")
    suite = load()
    evaluator = ResidentEvaluator(model_folder, PARAMS, suite)
    whole = evaluator.evaluate("search").to_dict()
    some = suite.items("search")[1::2]
    part = evaluator.evaluate("search", some).to_dict()
    own_weights = {n: w.clone() for n, w in evaluator.model.state_dict().items()}
    other = ResidentEvaluator(other_model_folder, PARAMS, suite).model.state_dict()
    evaluator.model.load_state_dict(other)
    evaluator.evaluate("search")
    evaluator.model.load_state_dict(own_weights)
    assert part == evaluator.evaluate("search", some).to_dict()
    assert whole == evaluator.evaluate("search").to_dict()
    fresh = ResidentEvaluator(model_folder, PARAMS, load())
    assert part == fresh.evaluate("search", some).to_dict()
    assert whole == fresh.evaluate("search").to_dict()


def test_lm_eval_in_the_same_process_leaves_nothing_to_a_task(
    own: Path, load: MakeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After lm_eval ran the task, its generators start again, and its key has its Python."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(own / "tasks")])
    (own / "tasks" / "code.py").write_text(DRAWING + "import helper_of_lm_eval\n")
    helper = own / "tasks" / "helper_of_lm_eval.py"
    helper.write_text("VALUE = 1\n")
    write_task(own, doc_to_text="!function code.text")
    before = load().key("search")
    prompts_of_lm_eval(own / "tasks")
    assert before == load().key("search")
    helper.write_text("VALUE = 2\n")
    assert before != load().key("search")
    assert sys.modules.pop("helper_of_lm_eval").VALUE == 1  # lm_eval's own is as it was


def test_another_processs_tasks_are_told_apart(own: Path, load: MakeSuite) -> None:
    """A worker whose task came out differently says so, with the task's name."""
    from stages.errors import EvaluationError

    python = (
        "def score(doc, results):\n    return {'ok': 1.0}\ndef text(doc):\n    return doc['q']\n"
    )
    (own / "tasks" / "code.py").write_text(python)
    write_task(own, doc_to_text="!function code.text")
    suite = load()
    suite.check_same(load().by_task())
    (own / "tasks" / "code.py").write_text(python + "MORE = 1\n")
    with pytest.raises(EvaluationError, match=r"task own: .* differently in a worker process"):
        load().check_same(suite.by_task())
