"""A run of eight candidates on two tasks, written as a run writes it; nothing is evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flows.inspection.project_folder import SELECTION
from stages.files import write_whole
from stages.hashing import canonical_json, content_hash
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.lineage.outcome import Outcome
from stages.lineage.rows import LINEAGE, Row, candidate_name, write_rows
from stages.lineage.selection import Selection, Shortlisted, TestedModel
from stages.recipe.candidate import Candidate
from stages.recipe.recipe import Model, Recipe, Rule

WEIGHTS = {"maths": 2.0, "words": 1.0}
# By candidate: the items that it has right, of four of each task; None where it failed.
RIGHT: Mapping[str, tuple[str, str] | None] = {
    "g00-c00": ("1000", "0000"),
    "g00-c01": ("1100", "1100"),
    "g00-c02": None,
    "g01-c00": ("1110", "1100"),
    "g01-c01": ("1111", "0011"),
    "g01-c02": ("0000", "1111"),
    "g02-c00": ("1110", "1110"),
    "g02-c01": ("1111", "1101"),
}
KIN = {
    0: ("uniform",),
    1: ("g00-c00", "g00-c01"),
    2: ("g01-c00", "g01-c01", "g00-c01"),
}
CHAMPION = "g02-c01"


def evaluation_of(split: str, right: Sequence[str]) -> Evaluation:
    """Return the evaluation of a model that has these items right."""
    tasks, items = [], []
    for task, digits in zip(WEIGHTS, right, strict=True):
        mean = sum(map(int, digits)) / len(digits)
        stderr = (mean * (1 - mean) / (len(digits) - 1)) ** 0.5
        tasks.append(TaskScore(task, "acc", mean, stderr, len(digits), True))
        items += [ItemScore(task, f"{split}{i}", float(d)) for i, d in enumerate(digits)]
    return Evaluation(split, tuple(tasks), tuple(items))


def recipe_of(number: int) -> Recipe:
    """Return the recipe of candidate ``number`` of the run."""
    models = (Model("base", "b" * 64), Model("one", "1" * 64), Model("two", "2" * 64))
    rule = Rule({"weight": (number / 10, 0.5)})
    return Recipe.of_models("task_arithmetic", models[1:], (rule,), base=models[0])


def rows_of_run() -> tuple[list[Row], dict[str, Outcome]]:
    """Return the rows of the run and the outcomes behind them by name."""
    rows, outcomes = [], {}
    for number, (name, right) in enumerate(RIGHT.items()):
        generation, position = int(name[1:3]), int(name[5:7])
        assert name == candidate_name(generation, position)
        recipe = recipe_of(number)
        candidate = Candidate(name, (), recipe, generation, KIN[generation])
        if right is None:
            outcome = Outcome(None, None, "ran out of time")
        else:
            outcome = Outcome(content_hash(name), evaluation_of("search", right))
        outcomes[name] = outcome
        genes = {"all.weight.one": number / 10, "all.weight.two": 0.5}
        rows.append(
            Row.of(candidate, genes, outcome, weights=WEIGHTS, seed=7, environment={"torch": "2"})
        )
    return rows, outcomes


def write_run(folder: Path, *, is_selected: bool = True) -> list[Row]:
    """Write the run below ``folder``, with a selection unless the search alone has ended."""
    rows, outcomes = rows_of_run()
    write_rows(folder / LINEAGE / "genomes.jsonl", rows)
    for row in rows:
        write_items(folder / LINEAGE, row, outcomes[row.name])
    for name in ("params.yaml", "dvc.yaml"):
        (folder / name).touch()
    return write_selection(folder, rows, outcomes) if is_selected else rows


def write_items(folder: Path, row: Row, outcome: Outcome) -> None:
    """Write the file of one evaluation as the store has it."""
    document = {**outcome.to_dict(), "recipe": row.id}
    write_whole(folder / "items" / f"{content_hash(document)}.json", canonical_json(document))


def write_selection(folder: Path, rows: list[Row], outcomes: dict[str, Outcome]) -> list[Row]:
    """Write a selection: two on the validation split, the champion and a parent on the test."""
    named = {row.name: row for row in rows}
    scored = {
        (CHAMPION, "validation"): ("1110", "1100"),
        ("g01-c01", "validation"): ("1100", "1110"),
        (CHAMPION, "test"): ("1111", "1100"),
    }
    for (name, split), right in scored.items():
        evaluation = evaluation_of(split, right)
        named[name] = named[name].also(evaluation)
        outcome = Outcome(outcomes[name].weights_hash, evaluation)
        write_items(folder / SELECTION, named[name], outcome)
    write_rows(folder / SELECTION / "genomes.jsonl", named.values())
    winner = named[CHAMPION]
    listed = [
        Shortlisted(n, named[n].id, named[n].genes, 0.9, 0.7, 0.1, None, {"maths": 0.7})
        for n in (CHAMPION, "g01-c01")
    ]
    test = evaluation_of("test", ("1111", "1100"))
    parent = evaluation_of("test", ("1100", "0000"))
    recipe = winner.recipe.to_dict()
    entries = (
        TestedModel(CHAMPION, "champion", recipe, winner.weights_hash, test),
        TestedModel("one", "parent", recipe, "1" * 64, parent),
    )
    selection = Selection(CHAMPION, WEIGHTS, tuple(listed), entries, 0.7)
    selection.write(folder / SELECTION / "selection.json")
    return list(named.values())


def write_half(folder: Path, num_rows: int) -> list[Row]:
    """Add a search in the layers alone, of the run's first rows; the last of them was tested."""
    rows = rows_of_run()[0][:num_rows]
    write_rows(folder / SELECTION / "layers" / "genomes.jsonl", rows)
    path = folder / SELECTION / "selection.json"
    selection = Selection.read(path)
    recipe = rows[-1].recipe.to_dict()
    test = evaluation_of("test", ("1000", "1000"))
    tuned = TestedModel("layers", "tuned", recipe, rows[-1].weights_hash, test, num_rows)
    replace(selection, entries=(*selection.entries, tuned)).write(path)
    return rows
