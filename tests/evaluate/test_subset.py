"""Some of a split's items: scored as in the whole split, under keys of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stages.errors import EvaluationError
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.lineage.evaluation import Items
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.conftest import suite_of

pytestmark = pytest.mark.usefixtures("at_project")

MakeParams = Callable[..., EvaluateParams]
ALL = ("colours", "sums", "prose")


@pytest.mark.parametrize("num_fewshot", [0, 2])
def test_subset_scores_as_in_the_whole_split(
    make_params: MakeParams, model_folder: Path, num_fewshot: int
) -> None:
    """An item's score is its score in the whole split, few-shot examples included."""
    params = make_params(*ALL, num_fewshot=num_fewshot)
    suite = suite_of(params)
    evaluator = ResidentEvaluator(model_folder, params, suite)
    whole = evaluator.evaluate("search")
    for items in (suite.items("search")[1::3], suite.items("search")[::7]):
        part = evaluator.evaluate("search", items)
        expected = [score for score in whole.items if (score.task, score.item) in items]
        assert [(e.task, e.item) for e in expected] == [(s.task, s.item) for s in part.items]
        assert [e.score for e in expected] == [s.score for s in part.items]
        assert [sum(t == task for t, _ in items) for task in ALL] == [
            task.num_items for task in part.tasks
        ]


def test_subset_leaves_no_trace(make_params: MakeParams, model_folder: Path) -> None:
    """The whole split, a subset in another order, and the whole again: equal bits each time."""
    params = make_params(*ALL)
    suite = suite_of(params)
    evaluator = ResidentEvaluator(model_folder, params, suite)
    whole = evaluator.evaluate("search")
    some = suite.items("search")[::4]
    first = evaluator.evaluate("search", some)
    for start in range(20):  # more subsets than are kept
        evaluator.prepare("search", suite.items("search")[start : start + 3])
    assert first.to_dict() == evaluator.evaluate("search", some[::-1]).to_dict()
    assert first.to_dict() == evaluator.evaluate("search", some).to_dict()
    assert whole.to_dict() == evaluator.evaluate("search").to_dict()
    assert whole.to_dict() == evaluator.evaluate("search", suite.items("search")).to_dict()
    fresh = ResidentEvaluator(model_folder, params, suite)
    assert first.to_dict() == fresh.evaluate("search", some).to_dict()


def test_task_without_items_is_left_out(make_params: MakeParams, model_folder: Path) -> None:
    """A subset of one task's items is an evaluation of that task."""
    params = make_params(*ALL)
    suite = suite_of(params)
    items = tuple(item for item in suite.items("test") if item[0] == "sums")
    evaluation = ResidentEvaluator(model_folder, params, suite).evaluate("test", items)
    alone = ResidentEvaluator(model_folder, make_params("sums"), suite_of(make_params("sums")))
    assert evaluation.to_dict() == alone.evaluate("test").to_dict()


def test_key_covers_the_items_in_any_order(make_params: MakeParams) -> None:
    """Another subset is another key; another order is not, and all items are the split itself."""
    suite = suite_of(make_params("colours", "sums"))
    items = suite.items("search")
    assert suite.key("search", items[:5]) == suite.key("search", items[4::-1])
    assert suite.key("search", items[::-1]) == suite.key("search")
    assert len({suite.key("search", items[:n]) for n in range(1, len(items) + 1)}) == len(items)


def test_key_of_a_subset_covers_no_other_item(make_params: MakeParams) -> None:
    """Without few-shot examples, the other items of the split decide nothing and are left out."""
    few, many = (
        suite_of(make_params("colours", splits={"search": n, "validation": 2, "test": 2}))
        for n in (5, 9)
    )
    assert few.key("search") == many.key("search", few.items("search"))
    assert few.key("search") != many.key("search")


def test_key_of_a_subset_covers_the_order_that_examples_are_drawn_in(
    make_params: MakeParams,
) -> None:
    """With few-shot examples, the items before an item decide its prompt, and are in the key."""
    few, many = (
        suite_of(
            make_params("colours", num_fewshot=1, splits={"search": n, "validation": 2, "test": 2})
        )
        for n in (5, 9)
    )
    assert few.key("search") != many.key("search", few.items("search"))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ((), "0 are asked for, 0 different"),
        ((("colours", "0" * 16),), "1 are asked for, 0 different"),
    ],
)
def test_items_that_are_not_there_are_refused(
    make_params: MakeParams, items: Items, message: str
) -> None:
    """No item, or one that the split does not hold, is an error."""
    with pytest.raises(EvaluationError, match=message):
        suite_of(make_params("colours")).key("search", items)


def test_item_named_twice_is_refused(make_params: MakeParams) -> None:
    """An item counts once."""
    suite = suite_of(make_params("colours"))
    with pytest.raises(EvaluationError, match="2 are asked for, 1 different"):
        suite.pick("search", suite.items("search")[:1] * 2)
