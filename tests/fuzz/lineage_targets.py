"""Damaged lineages, read by every command that shows one."""

import json
from functools import partial
from pathlib import Path
from random import Random

from tests.flows.inspection.small_run import write_run
from tests.fuzz import damage
from tests.fuzz.cases import Case, command, write

ROWS = "data/lineage/genomes.jsonl"


def row_value(rng: Random) -> Case:
    """A row with an odd value somewhere, also of a version that is to come: refused, or shown."""
    lines = _lines()
    number = rng.randrange(len(lines))
    row = json.loads(lines[number])
    odd = damage.anywhere(rng, row) if rng.random() < 0.9 else {**row, "schema": 3, "more": 1}
    lines[number] = json.dumps(odd)
    return _case(rng, "\n".join(lines).encode(), f"line {number}: {odd!r:.700}", False)


def cut_rows(rng: Random) -> Case:
    """Lines that are cut, joined, split or given twice, as by a merge of two runs."""
    data = "\n".join(_lines()).encode()
    first, rest = data.split(b"\n", 1)
    at = rng.randrange(2, len(first) - 2)
    damaged = rng.choice(
        (
            first[:at] + b"\n" + rest,
            first[:at] + b"\n" + first[at:] + b"\n" + rest,
            first + rest,
            data + b"\n" + first,
            b"\n".join((first, b"<<<<<<< ours", rest)),
            first[:at] + b"\xff" + first[at:] + b"\n" + rest,
            data.replace(b"\n", b"\n\n", 1),
        )
    )
    return _case(rng, damaged, repr(damaged[:200]), True)


# Words that name nothing, or nothing that can be.
WORDS = ("", "x", "-1", "é", "../..", "/", "a" * 300, "g99-c99", "*", "%s", "\udcff", " ")


def odd_word(rng: Random) -> Case:
    """A word for a candidate, a run, a folder or a file that names nothing: refused, or made."""
    write_run(Path())
    first, second = rng.choice(WORDS), rng.choice(WORDS)
    words = rng.choice(
        (
            ("lineage", "show", first),
            ("lineage", "diff", first, second),
            ("lineage", "ancestors", first),
            ("lineage", "export", first),
            ("export", first, second),
            ("materialize", first, second),
            ("audit", "a" * 300),  # other words load lm-eval, for seconds
            ("compare", first, second),
            ("doctor", first),
            ("import", first),
        )
    )
    return Case(f"{words!r:.300}", partial(command, *words), is_nonsense=False)


def _lines() -> list[str]:
    write_run(Path())
    return Path(ROWS).read_text(encoding="utf-8").splitlines()


def _case(rng: Random, data: bytes, shown: str, is_nonsense: bool) -> Case:
    write(ROWS, data)
    name = json.loads(_lines_of_selection()[0])["name"]
    words = rng.choice(
        (
            ("lineage", "list"),
            ("lineage", "list", "--json"),
            ("lineage", "show", name),
            ("lineage", "ancestors", name),
            ("lineage", "export", "rows.csv"),
            ("export", name, "recipe.json"),
            ("status",),
        )
    )
    return Case(f"{words}: {shown}", partial(command, *words), is_nonsense)


def _lines_of_selection() -> list[str]:
    return Path("data/selection/genomes.jsonl").read_text(encoding="utf-8").splitlines()


TARGETS = (row_value, cut_rows, odd_word)
