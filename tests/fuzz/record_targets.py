"""Damaged questions, and damaged files that an earlier run wrote."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import yaml

from stages.download import parents_lock
from stages.download.manifest import Parents
from stages.errors import GermlineError
from stages.evaluate.data_files.questions import items_of, kind_of
from stages.evaluate.data_files.tables import read_table
from stages.lineage.rows import read_rows
from stages.lineage.selection import Selection
from stages.params.task_params import TaskParams
from stages.recipe.recipe import Recipe
from tests.evaluations import evaluation_of
from tests.fuzz import damage
from tests.fuzz.cases import Case, write


def questions(rng: Random) -> Case:
    """A file of questions that is not text, or has a line that is not a row."""
    rows = [{"prompt": f"q{i}", "choices": ["a", "b"], "answer": "a"} for i in range(3)]
    lines = [json.dumps(row) for row in rows]
    name = rng.choice(("q.jsonl", "q.json", "q.csv", "q.parquet"))
    match name:
        case "q.jsonl":
            bad = damage.json_texts(rng, lines[1]).replace(b"\n", b" ").strip() or b"["
            data = lines[0].encode() + b"\n" + bad + b"\n" + lines[2].encode()
        case "q.json":
            data = rng.choice(
                (damage.json_texts(rng, lines[0]), json.dumps([rows[0], 3]).encode())
            )
        case "q.csv":
            data = rng.choice(
                (
                    b"",
                    b"prompt,answer\na\n",
                    b"prompt,prompt\na,b\n",
                    b"prompt,answer\n\xff,b\n",
                    b'prompt,answer\n"a,b\n',
                    b"prompt,answer\n,\n",
                    b"x,y\n1,2\n",
                    "prompt,answer\na,b\n".encode("utf-16"),
                )
            )
        case _:
            data = rng.randbytes(100)
    if b"NaN" in data:  # how pandas writes an empty cell
        data = data.replace(b"NaN", b"Infinity")
    write(name, data)
    return Case(f"{name}: {data[:200]!r}", partial(_items, name), is_nonsense=True)


def questions_cell(rng: Random) -> Case:
    """A file of questions with an odd value somewhere: refused, or read."""
    rows = [{"prompt": f"q{i}", "choices": ["a", "b"], "answer": "a"} for i in range(3)]
    odd = damage.anywhere(rng, rows)
    write("q.json", odd)
    return Case(f"{odd!r:.500}", partial(_items, "q.json"), is_nonsense=False)


def _items(name: str) -> object:
    table, task = read_table(name), TaskParams(data=name)
    return items_of(task, table, kind_of(task, table))


def records(rng: Random) -> Case:
    """A file that an earlier run wrote, damaged: the lock, manifest, lineage or selection."""
    name, read = rng.choice(
        (
            ("parents.lock", lambda: parents_lock.read(Path("parents.lock"))),
            ("data/parents/manifest.json", lambda: Parents.read(Path("data/parents"))),
            ("lineage.jsonl", lambda: read_rows(Path("lineage.jsonl"))),
            ("selection.json", lambda: Selection.read(Path("selection.json"))),
        )
    )
    if name == "parents.lock":
        commits = yaml.safe_dump({"commits": {"a/b@main": "0" * 40}})
        odd = damage.yaml_texts(rng, commits)
    elif name == "lineage.jsonl":
        odd = damage.json_texts(rng, "{}").replace(b"\n", b" ").strip() or b"["
    else:
        odd = damage.json_texts(rng, '{"models": [], "version": 1}')
    data = write(name, odd)
    return Case(f"{name}: {data[:200]!r}", read, is_nonsense=True)


def manifest(rng: Random) -> Case:
    """A manifest, or a selection, with an odd value somewhere: refused, or read."""
    file = {"path": "config.json", "size": 3, "sha256": "0" * 64}
    entry = {
        "name": "base",
        "source": "zoo:base",
        "revision": None,
        "adapter_revision": None,
        "inputs": [file],
        "files": [],
        "notes": ["a"],
        "weights_hash": "0" * 64,
        "num_tensors": 3,
        "num_parameters": 4,
    }
    write("data/parents/manifest.json", damage.anywhere(rng, {"models": [entry], "version": 1}))
    evaluation = evaluation_of(a=[0.0, 1.0]).to_dict()
    short = {"name": "c", "id": "0", "genes": {}, "search_fitness": 0.5, "scores": {"a": 0.5}}
    short |= {"validation_fitness": 0.5, "validation_stderr": 0.1, "p_value": None}
    tested = {"name": "c", "kind": "champion", "recipe": None, "weights_hash": "0"}
    selection = {
        "champion": "c",
        "corrected_validation": 0.5,
        "task_weights": {"a": 1.0},
        "shortlist": [short],
        "entries": [{**tested, "evaluation": evaluation}],
    }
    odd = damage.anywhere(rng, selection)
    write("selection.json", odd)
    read = rng.choice(
        (
            lambda: Parents.read(Path("data/parents")),
            lambda: Selection.read(Path("selection.json")),
        )
    )
    return Case(f"{Path('data/parents/manifest.json').read_text()}; {odd!r:.900}", read, False)


def forged(rng: Random) -> Case:
    """A recipe's data, or the scores of an evaluation, that somebody made up."""
    from stages.lineage.evaluation import Evaluation

    data = evaluation_of(a=[0.0, 1.0, 1.0], b=[0.5, 0.25]).to_dict()
    task = rng.choice(data["tasks"])
    match rng.randrange(3):
        case 0:
            task["score"] += rng.choice((0.01, -0.3, 1.0))
        case 1:
            task["num_items"] += rng.choice((1, -1, 10**9))
        case 2:
            data["items"][rng.randrange(5)][2] = 7.0
    return Case(repr(data), partial(_refused, Evaluation.from_dict, data), is_nonsense=True)


def broken_recipe(rng: Random) -> Case:
    """A recipe's plain data with an odd value somewhere, as a row of the lineage holds it."""
    good = {
        "ancestors": [{"name": "a", "hash": "0"}, {"name": "b", "hash": "1"}],
        "base": 0,
        "parents": [1],
        "method": "ties",
        "version": 4,
        "tokenizer": {"source": "union", "tokens": {"x": {"ancestor": 1, "token_id": 3}}},
    }
    data = damage.anywhere(rng, good)
    return Case(repr(data)[:600], partial(Recipe.from_dict, data), is_nonsense=False)


def _refused(read: Callable[[Any], object], data: Any) -> None:
    """Call a reader that reports damage by a ValueError, as readers of the store do."""
    try:
        read(data)
    except ValueError as error:
        raise GermlineError(str(error)) from error


TARGETS = (questions, questions_cell, records, manifest, forged, broken_recipe)
