"""Faults: all of them at once, each with its place."""

import pytest

from stages.errors import (
    CheckpointError,
    EvaluationError,
    Faults,
    RecipeError,
    at,
    kind_and_words,
    words_of,
)


class UnsaidError(Exception):
    """An error of a library, or of a user's scorer, that fails when it is asked what it says."""

    def __str__(self) -> str:
        raise AttributeError("not set yet")


def test_places_are_joined_and_messages_kept_once() -> None:
    """Nested places come before the message, in the order in which they were entered."""
    faults = Faults()
    with faults.at("recipe 1"):
        for _ in range(2):
            with faults.at("tensor x"), faults.at(""):
                faults.add("it has no parent. Add one.")
        faults.add("it has no rules. Add one.")
    with pytest.raises(RecipeError) as raised:
        faults.raise_as(RecipeError)
    assert [
        "recipe 1, tensor x: it has no parent. Add one.",
        "recipe 1: it has no rules. Add one.",
    ] == str(raised.value).splitlines()


def test_an_error_ends_its_block_and_is_a_fault() -> None:
    """What a callee raises is kept with the caller's place; collected faults keep their own."""
    inner, outer = Faults(), Faults()
    with inner.at("rule 0"):
        raise RecipeError("weight is missing. Give it.")
    with inner.at("rule 1"):
        raise RecipeError("t is 2. Give less.")
    with outer.at("merge.yml"):
        inner.raise_as(RecipeError)
    with pytest.raises(RecipeError) as raised:
        outer.raise_as(RecipeError)
    assert [
        "merge.yml, rule 0: weight is missing. Give it.",
        "merge.yml, rule 1: t is 2. Give less.",
    ] == str(raised.value).splitlines()


def test_an_error_keeps_its_class_where_all_are_of_one() -> None:
    """Damaged files alone are a CheckpointError; with a fault of the recipe they are not."""
    faults = Faults()
    assert not faults
    faults.raise_as(RecipeError)
    with faults.at("model a"):
        raise CheckpointError("damaged. Fetch it again.")
    with pytest.raises(CheckpointError):
        faults.raise_as(RecipeError)
    others = Faults()
    others.add("dtype is int8. Change it.")
    faults.include(others)
    with pytest.raises(RecipeError, match="model a: damaged"):
        faults.raise_as(RecipeError)


def test_other_errors_pass() -> None:
    """What is not germline's own error is not a fault of the input."""
    faults = Faults()
    with pytest.raises(ZeroDivisionError), faults.at("x"):
        raise ZeroDivisionError
    assert not faults


def test_faults_of_a_file_are_listed_by_their_lines() -> None:
    """A fault stands where its line does, whoever noticed it first; within a line, in order."""
    whole, faults = Faults(), Faults()
    for line, message in ((7, "late."), (2, "early."), (7, "later.")):
        with faults.at(f"line {line}"):
            faults.add(message, line=line)
    with whole.at("merge.yml"):
        whole.include(faults)
    assert [
        "merge.yml, line 2: early.",
        "merge.yml, line 7: late.",
        "merge.yml, line 7: later.",
    ] == whole.lines


def test_an_error_is_given_its_place_by_its_callers() -> None:
    """Each line of an error gets the places of the blocks that it ends; class and cause stay."""
    cause = OSError("no disk")
    with pytest.raises(CheckpointError) as raised, at("model a"), at(""), at("config.json"):
        raise CheckpointError("damaged.\nempty.") from cause
    lines = ["model a, config.json: damaged.", "model a, config.json: empty."]
    assert lines == str(raised.value).splitlines()
    assert raised.value.__cause__ is cause
    faults = Faults()
    with faults.at("run"):
        raise raised.value
    assert [f"run, {line}" for line in lines] == faults.lines


def test_a_place_is_on_one_line() -> None:
    """A name with a line feed does not make two faults of one, nor does ``at`` around them."""
    with pytest.raises(RecipeError) as caught, at("model a\nb"), at("tensor c"):
        raise RecipeError("no parent.")
    assert r"model a\nb, tensor c: no parent." == str(caught.value)
    assert 1 == len(caught.value.parts())


@pytest.mark.parametrize("said", ["", "task a: ", "item 3: ", "task a, item 3: "])
def test_a_place_is_said_once_whoever_says_it(said: str) -> None:
    """What finds a fault may name its place too: callers that name it add what is missing."""
    with pytest.raises(EvaluationError) as caught, at("run, task a"), at("task a, item 3"):
        raise EvaluationError(f"{said}no answer: none. Add one.")
    assert "run, task a, item 3: no answer: none. Add one." == str(caught.value)
    faults = Faults()
    with faults.at("run, task a"), faults.at("task a, item 3"):
        faults.add(f"{said}no answer: none. Add one.")
    assert [str(caught.value)] == faults.lines


def test_places_that_only_begin_alike_are_all_said() -> None:
    """A place is a whole name: item 3 is not item 31, and another item is said besides."""
    with pytest.raises(EvaluationError) as caught, at("task a, item 3"):
        raise EvaluationError("task a, item 31: no answer. Add one.\nitem 3 has no target.")
    assert [
        "task a, item 3, item 31: no answer. Add one.",
        "task a, item 3: item 3 has no target.",
    ] == str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("It ends.\n  Twice!"), "ValueError: It ends. Twice"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (OSError("x" * 500), f"OSError: {'x' * 300} [...]"),
        (UnsaidError(), "UnsaidError"),
        (ValueError("half a sign: \ud83d"), r"ValueError: half a sign: \ud83d"),
    ],
)
def test_another_librarys_error_is_quoted_within_a_sentence(
    error: BaseException, words: str
) -> None:
    """One line that a sentence can go on after: no second full stop, and no screenful."""
    assert words == kind_and_words(error)
    assert words.removeprefix(f"{type(error).__name__}: ") == words_of(error)
