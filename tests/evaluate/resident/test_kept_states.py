"""Layers that two children begin with run once, for choices and prompts: equal scores."""

from itertools import combinations, pairwise, permutations
from pathlib import Path

import pytest

from stages.checkpoint.reader import Checkpoint
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.lineage.evaluation import Evaluation
from stages.merge.outputs.model_folder import ResidentSink
from stages.merge.plan.planner import plan
from stages.params.evaluate_params import EvaluateParams
from stages.params.merge_params import MergeParams
from stages.recipe.model_size import ModelSize
from stages.recipe.recipe import Model, Recipe
from stages.select.space.layers.hops import Hop
from stages.select.space.path_recipe import path_recipe
from tests.evaluate.conftest import suite_of

ZOO = Path("data/zoo")
NAMES = ("base", "math", "spanish", "order")
SIX = ModelSize((0,) * 6)
PARAMS = EvaluateParams.model_validate(
    {
        "include_path": "data/tasks",
        "tasks": [{"task": "english_arithmetic"}, {"task": "spanish_arithmetic"}],
        "splits": {"search": 12, "validation": 1, "test": 1},
    }
)


def path(text: str) -> Recipe:
    """Return the recipe of hops such as ``m0 m1 s2``; ``s2/2`` has gains of 1/2."""
    hops = []
    for word in text.split():
        layer, _, divisor = word[1:].partition("/")
        gain = 1 / float(divisor or 1)
        hops.append(Hop("mso".index(word[0]), int(layer), gain, gain))
    models = [Model(name, name) for name in NAMES]
    return path_recipe(hops, models[1:], models[0], MergeParams(), module="default", size=SIX)


# The second shares three hops with the first, the third five, the fourth none but by its weights,
# the fifth is deeper than what it shares, the last begins with another embedding.
PATHS = {
    "spliced": "m0 m1 m2 m3 s4 s5",
    "three": "m0 m1 m2 s3 s4 s5",
    "five": "m0 m1 m2 m3 s4 o5",
    "damped": "m0/2 m1 m2 m3 s4 s5",
    "deeper": "m0 m1 m2 m3 s4 s5 s4 s5",
    "other": "o0 m1 m2 m3 s4 s5",
}


class Scorer:
    """One resident model that scores paths, with or without what was kept."""

    def __init__(self, *, keeps: bool) -> None:
        suite = suite_of(PARAMS)
        self._evaluator = ResidentEvaluator(ZOO / "base", PARAMS, suite)
        self._sink = ResidentSink(self._evaluator.model)
        self._models = {name: Checkpoint(ZOO / name) for name in NAMES}
        self._keeps = keeps

    @property
    def num_skipped(self) -> int:
        """The layers that did not run."""
        return self._evaluator.states.num_skipped

    def score(self, recipe: Recipe) -> Evaluation:
        """Return what a recipe scores."""
        models = [self._models[ancestor.name] for ancestor in recipe.ancestors]
        self._sink.load(plan(recipe, models))
        if self._keeps:
            self._evaluator.follow(self._sink.layers, self._sink.contents)
        return self._evaluator.evaluate("search")


@pytest.fixture(scope="module")
def expected() -> dict[str, Evaluation]:
    """What each path scores in a model that keeps nothing."""
    scorer = Scorer(keeps=False)
    scores = {name: scorer.score(path(text)) for name, text in PATHS.items()}
    assert scorer.num_skipped == 0
    return scores


def test_children_that_begin_alike_score_the_same_with_fewer_layers(
    expected: dict[str, Evaluation],
) -> None:
    """Bit for bit, whatever was scored before: each path is scored after each of the others."""
    scorer = Scorer(keeps=True)
    order = [name for pair in combinations(PATHS, 2) for name in pair] + [*PATHS][:1]
    assert sorted(pairwise(order)) == sorted(permutations(PATHS, 2))
    alike = set()
    for before, name in pairwise([*order[:1], *order]):
        num_skipped = scorer.num_skipped
        assert scorer.score(path(PATHS[name])) == expected[name]
        if scorer.num_skipped > num_skipped:
            alike.add((before, name))
    assert alike == set(permutations(("spliced", "three", "five", "deeper"), 2))


def test_only_what_is_the_same_is_kept(expected: dict[str, Evaluation]) -> None:
    """Hops of other gains, and all behind another embedding, run; equal ones do not."""
    scorer = Scorer(keeps=True)
    skipped = []
    for name in ("spliced", "spliced", "three", "damped", "other"):
        before = scorer.num_skipped
        assert scorer.score(path(PATHS[name])) == expected[name]
        skipped.append(scorer.num_skipped - before)
    whole = skipped[1]
    batches = [states.batch for states in scorer._evaluator.states._by_batch.values()]
    assert {"TokenBatch", "TextBatch"} == {type(batch).__name__ for batch in batches}
    assert whole == 6 * len(batches)
    assert skipped == [0, whole, whole // 2, 0, 0]


def test_memory_is_bounded(
    expected: dict[str, Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all states do not fit, those after every few layers are kept, or none."""
    scorer = Scorer(keeps=True)
    states = scorer._evaluator.states
    for max_bytes in (60_000, 5_000, 1):
        monkeypatch.setattr(states, "_max_bytes", max_bytes)
        for name, text in PATHS.items():
            assert scorer.score(path(text)) == expected[name]
            assert states.num_bytes <= max_bytes
