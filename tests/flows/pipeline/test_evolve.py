"""What a search says at the terminal after a generation."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows.pipeline.evolve import say_rises
from flows.prefect_runtime.console import SearchProgress
from stages.lineage.rows import Row, candidate_name
from stages.recipe.recipe import Model, Recipe, Rule


def row(number: int, **scores: float) -> Row:
    """Return a scored row of generation 0."""
    recipe = Recipe.of_models("linear", (Model("p0", "aa"),), (Rule({"weight": (0.5,)}),))
    search = {
        task: {"score": score, "higher_is_better": task != "words", "num_items": 4}
        for task, score in scores.items()
    }
    name = candidate_name(0, number)
    plain = Row(name, "", 0, ("p0",), {}, recipe, {"p0": "aa"}, "ok")
    return replace(plain, fitness=0.5, scores={"search": search})


def test_the_best_by_task_is_said_where_it_rises(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tasks at first, then those in which another candidate is best; of one task nothing."""
    monkeypatch.chdir(tmp_path)
    rows = [row(0, sums=0.2, words=9.0), row(1, sums=0.1, words=3.0)]
    with SearchProgress(4, "evolve") as progress:
        leaders = say_rises({}, rows, progress)
        assert leaders == say_rises(leaders, rows, progress)
        leaders = say_rises(leaders, [*rows, row(2, sums=0.75, words=4.0)], progress)
        say_rises({}, [row(0, sums=0.2)], progress)
    assert {"sums": "g00-c02", "words": "g00-c01"} == leaders
    assert [
        "  best so far in sums 0.2000 (g00-c00), words 3.0000 (g00-c01)",
        "  best so far in sums 0.7500 (g00-c02)",
    ] == capsys.readouterr().out.splitlines()[1:]
