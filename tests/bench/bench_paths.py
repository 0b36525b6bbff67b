"""What a switch from one path to the next costs, and what generations of paths share.

A switch is what comes before weights are written: the layers of the resident model are arranged,
and where each tensor lies is looked up. Paths run a block of the middle again, so that their
depths differ. A generation is scored in the order in which a run submits it, with hidden states of
shared first layers kept and without, twice each; the scores must be equal.
``GERMLINE_BENCH_CASES`` chooses the cases (zoo, 135M), ``GERMLINE_BENCH_SPACES`` the encodings,
``GERMLINE_BENCH_ITEMS`` how many items of 135M a candidate answers.
"""

import os
import time
from collections.abc import Iterator, Sequence
from statistics import median

import pytest
from torch import nn

from stages.checkpoint.reader import Checkpoint
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation
from stages.merge.architecture.parameter_counts import size_of
from stages.merge.methods import METHODS
from stages.merge.outputs.model_folder import ResidentSink
from stages.merge.outputs.resident_layers import ResidentLayers
from stages.merge.outputs.transformers_views import residence
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.params.merge_params import MergeParams
from stages.params.space.space_params import SpaceParams
from stages.recipe.recipe import Model, Recipe
from stages.seeds import random_state
from stages.select.space.layers.hops import hops_of
from stages.select.space.path_recipe import path_recipe
from stages.select.space.space import Space
from tests.bench.bench_evaluate import CASES, SPLIT, Case

_SWITCHES = 24
_POPULATION = 12
_HEADER = """\
| case | hops | switch ms, median | most | whole load ms | candidate s | switch / candidate \
| weights MB | of as many layers |
|---|---|---|---|---|---|---|---|---|"""


@pytest.mark.bench
def test_switches_of_paths_are_timed(capsys: pytest.CaptureFixture[str]) -> None:
    """The table shows processor time; none is asserted."""
    cases = os.environ.get("GERMLINE_BENCH_CASES", ",".join(CASES)).split(",")
    lines = [_row(CASES[name]()) for name in cases]
    with capsys.disabled():
        print("", _HEADER, *lines, sep="\n")  # noqa: T201  # the table is what it is run for
    assert len(cases) == len(lines)


_GENERATION_HEADER = """\
| case | space | s a candidate, apart | shared | shared / apart | layers that did not run |
|---|---|---|---|---|---|"""
_SPACES: dict[str, dict[str, object]] = {
    "pick": {},
    "splice": {},
    "blocks": {},
    "indicator": {"off": -2.0},
}


@pytest.mark.bench
def test_generations_are_timed_with_and_without_kept_states(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Processor time of whole candidates, merging too; none is asserted, equal scores are."""
    cases = os.environ.get("GERMLINE_BENCH_CASES", ",".join(CASES)).split(",")
    spaces = os.environ.get("GERMLINE_BENCH_SPACES", ",".join(_SPACES)).split(",")
    lines = [row for name in cases for row in _generation_rows(CASES[name](), spaces)]
    with capsys.disabled():
        print("", _GENERATION_HEADER, *lines, sep="\n")  # noqa: T201  # as above
    assert len(cases) * len(spaces) == len(lines)


def _generation_rows(case: Case, spaces: Sequence[str]) -> Iterator[str]:
    """Yield a line for each space: a generation of 12 uniform draws, apart and shared in turn."""
    suite = Suite.load(case.params)
    evaluator = ResidentEvaluator(case.folders[0], case.params, suite)
    evaluator.prepare(SPLIT)
    base, *parents = (Model(folder.name, folder.name) for folder in case.folders)
    models = {folder.name: Checkpoint(folder) for folder in case.folders}
    depth = models["base"].config["num_hidden_layers"]
    specs = {name: method.spec for name, method in METHODS.items()}
    sink = ResidentSink(evaluator.model)

    def score(recipe: Recipe, *, shares: bool) -> Evaluation:
        sink.load(plan(recipe, [models[ancestor.name] for ancestor in recipe.ancestors]))
        evaluator.follow(sink.layers, sink.contents if shares else ())
        return evaluator.evaluate(SPLIT)

    for name in spaces:
        layers = {"encoding": name, **_SPACES[name]}
        space = Space(
            SpaceParams.model_validate({"methods": [], "layers": layers}),
            specs=specs,
            num_parents=len(parents),
            num_layers=depth,
        )
        draws = random_state("bench paths", name)
        recipes = {
            recipe.id: recipe
            for recipe in (
                space.make_recipe(
                    space.from_unit(draws.rand(len(space.genes)).tolist()),
                    base=base,
                    parents=tuple(parents),
                    merge=MergeParams(),
                )
                for _ in range(_POPULATION)
            )
        }
        ordered = sorted(recipes.values(), key=lambda recipe: recipe.hop_order)
        score(ordered[-1], shares=False)  # the first forward pass of a process is slower
        seconds = {False: 0.0, True: 0.0}
        scores: dict[bool, list[Evaluation]] = {}
        num_skipped = evaluator.states.num_skipped
        for shares in (False, True, True, False):  # so that a trend of the machine cancels out
            start = time.process_time()
            scores[shares] = [score(recipe, shares=shares) for recipe in ordered]
            seconds[shares] += (time.process_time() - start) / len(ordered) / 2
        assert scores[True] == scores[False]
        yield (
            f"| {case.name} | {name} | {seconds[False]:.2f} | {seconds[True]:.2f} "
            f"| {seconds[True] / seconds[False]:.2f} "
            f"| {(evaluator.states.num_skipped - num_skipped) // 2} |"
        )


def _row(case: Case) -> str:
    suite = Suite.load(case.params)
    evaluator = ResidentEvaluator(case.folders[0], case.params, suite)
    evaluator.prepare(SPLIT)
    plans = [*_plans(case)]
    switches = [*_switches(evaluator.model, plans)]
    sink = ResidentSink(evaluator.model)
    loads, candidates = [], []
    for child in plans[::-1]:
        start = time.process_time()
        sink.load(child)
        loads.append(time.process_time() - start)
        evaluator.evaluate(SPLIT)
        candidates.append(time.process_time() - start)
    shared, apart = _num_bytes(evaluator.model)
    depths = "/".join(str(_depth(child)) for child in plans)
    share = median(switches) / median(candidates)
    return (
        f"| {case.name} | {depths} | {1e3 * median(switches):.1f} | {1e3 * max(switches):.1f} "
        f"| {1e3 * median(loads):.1f} | {median(candidates):.2f} | {share:.2%} "
        f"| {shared / 1e6:.1f} | {apart / 1e6:.1f} |"
    )


def _plans(case: Case) -> Iterator[Plan]:
    """Yield the plans of three paths: the middle third once, twice, and four times."""
    models = [Checkpoint(folder) for folder in case.folders]
    depth = models[0].config["num_hidden_layers"]
    third = depth // 3
    refs = [Model(folder.name, folder.name) for folder in case.folders]
    for times in (4, 2, 1):
        path = [
            *hops_of(0, 0, third),
            *times * hops_of(1, third, 2 * third),
            *hops_of(2, 2 * third, depth),
        ]
        recipe = path_recipe(
            path, refs[1:], refs[0], MergeParams(), module="default", size=size_of(models[0])
        )
        used = {model.folder.name: model for model in models}
        yield plan(recipe, [used[ancestor.name] for ancestor in recipe.ancestors])


def _switches(model: nn.Module, plans: list[Plan]) -> Iterator[float]:
    """Yield the seconds of each switch, the first of each path left out."""
    layers = ResidentLayers(model, residence(model))
    for number in range(_SWITCHES):
        start = time.process_time()
        layers.arrange(plans[number % len(plans)])
        residence(model)
        if number >= len(plans):
            yield time.process_time() - start


def _num_bytes(model: nn.Module) -> tuple[int, int]:
    """Return the bytes of a model's weights, and of as many with nothing shared between layers."""
    named = dict(model.named_parameters(remove_duplicate=False))
    homes = {p.data_ptr(): p.nbytes for p in named.values()}
    tied = [name for name in named if "layers" not in name]
    once = {named[name].data_ptr(): named[name].nbytes for name in tied}
    layered = sum(p.nbytes for name, p in named.items() if name not in tied)
    return sum(homes.values()), sum(once.values()) + layered


def _depth(child: Plan) -> int:
    return int(child.config["num_hidden_layers"])
