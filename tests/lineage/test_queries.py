"""Which row a word means: names, beginnings of ids and hashes, and what is said of the rest."""

from dataclasses import replace
from pathlib import Path

import pytest

from stages.errors import LineageError
from stages.lineage.queries import content_of, means_a_row, near_names, row_named
from stages.lineage.rows import Row, candidate_name
from stages.recipe.recipe import Model, Recipe, Rule

SOURCE = Path("genomes.jsonl")


def lineage(*hashes: tuple[str, str | None]) -> list[Row]:
    """Return rows with these ids and weights hashes, by name g00-c00 and on."""
    recipe = Recipe.of_models("linear", (Model("p0", "aa"),), (Rule({"weight": (0.5,)}),))
    row = Row("", "", 0, ("p0",), {}, recipe, {"p0": "aa"}, "ok", fitness=0.5, fitness_stderr=0.1)
    return [
        replace(row, name=candidate_name(0, i), id=f"{start:e<64}", weights_hash=weights)
        for i, (start, weights) in enumerate(hashes)
    ]


ROWS = lineage(("12345", "abcd0" * 12), ("12346", "abcd1" * 12), ("777", None), ("777", None))


@pytest.mark.parametrize(
    ("word", "name"),
    [("g00-c01", "g00-c01"), ("12345", "g00-c00"), ("abcd1", "g00-c01"), ("777eee", "g00-c02")],
)
def test_a_word_means_the_row_of_that_name_id_or_weights(word: str, name: str) -> None:
    """Beginnings do; rows of one recipe are one."""
    assert name == row_named(ROWS, word, SOURCE).name
    assert means_a_row(ROWS, word)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("1234", r"^begins .* of 2 candidates of genomes.jsonl: g00-c00 \(12345e.*g00-c01 \("),
        ("777", r"^too few digits .* at least 4, .* those of g00-c02 \(777e.*\) in"),
        (
            "ffff",
            r"^not a candidate of .*, which holds 4 candidates, g00-c00 to g00-c03",
        ),
        ("g0-c3", r"Did you mean 'g00-c03'"),
        ("", r"^not a candidate of genomes.jsonl, .* Give a candidate by its name"),
        ("<b>\x1b[31m", "^not a candidate"),
    ],
)
def test_a_word_that_means_none_or_several_is_refused_with_what_is_there(
    word: str, message: str
) -> None:
    """Ambiguous ones are listed, short ones named, slips corrected."""
    with pytest.raises(LineageError, match=message):
        row_named(ROWS, word, SOURCE)


def test_other_words_of_a_command_are_offered_too() -> None:
    """Such as champion and the names of baselines; candidates with the same numbers come first."""
    others = ["champion", "uniform"]
    with pytest.raises(LineageError, match=r"Did you mean 'champion'\?"):
        row_named(ROWS, "Chmpion", SOURCE, others)
    assert means_a_row(ROWS, "chmpion", others)
    assert not means_a_row(ROWS, "chmpion")
    assert ["uniform"] == near_names(ROWS, "unifrom", others)


def test_an_empty_lineage_is_said_to_be_empty() -> None:
    """No name can be offered."""
    with pytest.raises(LineageError, match=r"which holds no candidate\. Give"):
        row_named([], "g00-c00", SOURCE)


def test_candidates_of_searches_in_one_half_are_counted_apart() -> None:
    """A reader of the run knows how many candidates it had, without those of its baselines."""
    halves = [replace(row, name=f"layers {row.name}") for row in ROWS[:2]]
    halves.append(replace(ROWS[0], name="parameters g00-c00"))
    assert content_of([*ROWS, *halves]) == (
        "4 candidates, g00-c00 to g00-c03; "
        "2 candidates of the search in layers alone, layers g00-c00 to layers g00-c01; "
        "one candidate of the search in parameters alone, parameters g00-c00"
    )


@pytest.mark.parametrize("word", ["gpt2", "bert-base-uncased", "meta", "data", "zoe", ""])
def test_a_word_of_another_kind_is_not_taken_for_a_slip(word: str) -> None:
    """Bare names of the hub's models are left to the hub."""
    assert not means_a_row(ROWS, word)


def test_near_names_begin_with_the_same_numbers() -> None:
    """Capitals, separators and zeros do not count."""
    for word in ("G0_C3", "g0c3", "g00-c3", "0-c03"):
        assert "g00-c03" == near_names(ROWS, word)[0]
    assert ["g00-c00", "g00-c01"] != near_names(ROWS, "xyz")
