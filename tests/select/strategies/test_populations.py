"""Our own strategies: what is special to each, and what each refuses before a run."""

import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.errors import ParamsError
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.params.select_params import SelectParams
from stages.select.strategies.m2n2 import M2n2Strategy, claims, item_scores
from stages.select.strategies.populations.population_member import PopulationMember
from stages.select.strategies.registry import check_strategy, check_tasks
from stages.select.strategies.single_searches import OWN
from stages.select.strategies.strategy import Proposal, Result
from tests.select.space.layers.paths import paths
from tests.select.specs import space_of
from tests.select.steps import params_of, search_of, tell

SPACE = space_of("linear", parents=4)
AXES = {"t0": [0, 1]}


def _solver(name: str, *solved: float) -> PopulationMember:
    """Return a member that has these scores on the items of one task."""
    items = tuple(ItemScore("t0", f"i{i}", score) for i, score in enumerate(solved))
    task = TaskScore("t0", "acc", float(np.mean(solved)), 0.0, len(solved), True)
    result = Result(name, (task.score,), Evaluation("search", (task,), items))
    return PopulationMember(Proposal(name, SPACE.from_unit([0.5] * 4)), result)


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ({"optimizer": "nsga2"}, "objectives is weighted; nsga2 searches a front"),
        ({"optimizer": "map_elites"}, "axes is empty; .* has no cells"),
        (
            {"optimizer": "map_elites", "archive": {"axes": AXES}, "objectives": "separate"},
            "objectives is separate; a cell of map_elites",
        ),
        (
            {"optimizer": "map_elites", "archive": {"axes": AXES}, "racing": {"rungs": [2]}},
            "map_elites compares candidates .* racing.rungs",
        ),
        ({"optimizer": "cycle_qd", "racing": {"rungs": [2]}}, "answers items of its own"),
        ({"optimizer": "m2n2", "racing": {"rungs": [2]}}, "m2n2 has candidates compete"),
        ({"optimizer": "cat_cma", "objectives": "separate"}, "one number"),
        *[({"optimizer": name, "population": 3}, "population is 3.*at least 4") for name in OWN],
    ],
)
def test_what_a_strategy_cannot_do_is_refused(select: dict[str, Any], said: str) -> None:
    """Objectives, races, archives and populations that do not fit are said before a run."""
    with pytest.raises(ParamsError, match=rf"params.yaml: select\..*{said}"):
        check_strategy(SelectParams.model_validate(select))


@pytest.mark.parametrize(
    ("optimizer", "axes", "tasks", "said"),
    [
        ("cycle_qd", {}, ["t0"], "evaluate.tasks has 1 task"),
        ("cycle_qd", {"t2": [0, 1]}, ["t0", "t1"], "'t2' is not a task. Legal here: t0, t1"),
        ("map_elites", {"weight.p9": [0, 1]}, ["t0"], "neither a task nor a gene.*weight.p0"),
    ],
)
def test_archives_that_do_not_fit_the_tasks_are_refused(
    optimizer: str, axes: dict[str, list[float]], tasks: list[str], said: str
) -> None:
    """An axis is a task, or for MAP-Elites a gene; CycleQD needs two tasks."""
    params = SelectParams.model_validate({"optimizer": optimizer, "archive": {"axes": axes}})
    with pytest.raises(ParamsError, match=said):
        check_tasks(SPACE, params, tasks)
    check_tasks(SPACE, params_of(optimizer), ["t0", "t1"])


@pytest.mark.parametrize("optimizer", [name for name in OWN if name != "cat_cma"])
@pytest.mark.parametrize("encoding", ["pick", "splice"])
def test_populations_repeat_no_path(optimizer: str, encoding: str) -> None:
    """Genomes that are one path under several names are one candidate; most layers win here."""
    space = paths(encoding, parents=3)
    search = search_of(space, params_of(optimizer, population=6, generations=4))
    seen = []
    for _ in range(4):
        proposals = search.ask()
        assert all(space.round(p.genome) == p.genome for p in proposals)
        walks = [space.path(p.genome) for p in proposals]
        seen += walks
        tell(search, proposals, [sum(hop.model == 1 for hop in walk) / 100 for walk in walks])
    assert len(seen) == len(set(seen))


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cmaes its strategy is refused with a command that installs it, from any index."""
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(ParamsError, match=r"needs the library cmaes.*pip install") as error:
        check_strategy(SelectParams(optimizer="cat_cma"))
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(project)["project"]["optional-dependencies"]
    assert all(f"pip install '{one}'" in str(error.value) for one in extras["cat-cma"])


def test_both_mates_are_ancestors() -> None:
    """A child of nsga2 and genetic names two rows of the better half, or one that mated itself."""
    for optimizer, most in (("genetic", 2), ("nsga2", 2), ("m2n2", 2), ("cycle_qd", 2)):
        search = search_of(SPACE, params_of(optimizer, population=8))
        proposals = search.ask()
        scores = [(i / 10, 1 - i / 10) for i in range(8)]
        if optimizer != "nsga2":
            tell(search, proposals, [score[0] for score in scores])
        else:
            tell(search, proposals, scores)
        children = search.ask()
        assert all(1 <= len(child.ancestors) <= most for child in children)
        assert any(len(child.ancestors) == 2 for child in children)
        if optimizer == "genetic":
            better = {p.name for p in proposals[4:]}
            assert {name for child in children for name in child.ancestors} <= better


def test_a_child_has_genes_of_its_ancestors_only() -> None:
    """Without mutation each gene of a genetic child is that of one of the two that it names."""
    search = search_of(SPACE, params_of("genetic", population=8, sigma=1e-9))
    proposals = search.ask()
    tell(search, proposals, [p.genome[0] for p in proposals])
    genomes = {p.name: p.genome for p in proposals}
    for child in search.ask()[:4]:
        for index, number in enumerate(child.genome):
            assert number in [genomes[name][index] for name in child.ancestors]


def test_an_archive_over_a_gene_keeps_the_best_of_each_part() -> None:
    """With three cells of one gene the parents are the three best of their cells."""
    axes = {"weight.p0": [0, 2]}
    params = params_of("map_elites", population=12, archive={"axes": axes, "cells": 3})
    search: Any = search_of(SPACE, params)
    proposals = search.ask()
    tell(search, proposals, [p.genome[1] for p in proposals])
    cells = [min(int(p.genome[0] / 2 * 3), 2) for p in proposals]
    best = [
        max((p for p, cell in zip(proposals, cells, strict=True) if cell == c), key=_second).name
        for c in range(3)
    ]
    assert best == [member.name for member in search._parents()]


def _second(proposal: Proposal) -> float:
    return proposal.genome[1]


def test_tasks_take_turns_as_quality() -> None:
    """In generation 1 the archive of the second task gives the parents, in 2 that of the first."""
    search: Any = search_of(SPACE, params_of("cycle_qd", population=4, archive={"cells": 2}))
    proposals = search.ask()
    tell(search, proposals, [(0.1, 0.6), (0.4, 0.7), (0.9, 0.2), (0.8, 0.3)])
    # Quality is the second score; cells are the first score below and above a half.
    assert ["g00-c01", "g00-c03"] == [member.name for member in search._parents()]
    tell(search, search.ask(), [None] * 4)
    assert ["g00-c02", "g00-c01"] == [member.name for member in search._parents()]


def test_an_item_is_divided_among_its_solvers() -> None:
    """Two who solve an item get half of it each, who solves it alone gets the whole."""
    scores = item_scores([_solver("a", 1, 1, 0), _solver("b", 1, 0, 0), _solver("c", 0, 0, 0)])
    assert [[0.5, 1.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]] == claims(scores).tolist()


def test_scores_below_0_are_lifted_and_costs_are_turned() -> None:
    """Less of a cost is more, and only items that all answered count."""
    members = []
    for name, first, whole in (("a", 3.0, 7.0), ("b", 1.0, 5.0)):
        tasks = (
            TaskScore("cost", "loss", first, 0.0, 1, False),
            TaskScore("text", "perplexity", whole, 0.0, 1, False),
        )
        items = [ItemScore("cost", "i0", first), ItemScore("text", "j0", None)]
        if name == "b":
            items.append(ItemScore("cost", "i1", 9.0))
        evaluation = Evaluation("search", tasks, tuple(items))
        members.append(PopulationMember(Proposal(name, ()), Result(name, (0.0,), evaluation)))
    assert [[0.0, 0.0], [2.0, 2.0]] == item_scores(members).tolist()


def test_who_solves_what_nobody_else_does_stays() -> None:
    """Of five, the one that solves least is dropped unless it alone solves an item."""
    search = M2n2Strategy(SPACE, params_of("m2n2", population=4), {})
    crowd = [_solver(name, 1, 1, 1, 0) for name in "abcd"]
    search._take([*crowd, _solver("e", 0, 0, 0, 1)])
    assert ["a", "b", "c", "e"] == [member.name for member in search._parents()]
