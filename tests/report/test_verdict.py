"""The sentences: what the champion wins, what it loses, and what cannot be told."""

from dataclasses import replace

from tests.report.conftest import entry_of, selection_with, told


def test_headline_says_what_can_be_told() -> None:
    """The champion beats the best parent and cannot be told from the tied baseline."""
    headline = told().headline
    assert headline.startswith("g02-c03 scores 0.900 ± ")
    assert "it beats the best parent, p0 (+0.500 ± " in headline
    assert "and cannot be told from the best baseline, uniform (+0.000" in headline


def test_headline_says_losses_like_gains() -> None:
    """Each task's best parent is named, where the champion is better, worse, or neither."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=18, french=10, music=7),
            entry_of("counts", "parent", maths=5, french=0, music=0),
            entry_of("speaks", "parent", maths=0, french=20, music=8),
        )
    )
    first, second = story.headline.split(". Task by task, ")
    assert "the best parent, speaks (" in first
    assert second == (
        "against the best parent of each: "
        "better in maths (+0.650 ± 0.109 against counts, p = 0.00024); "
        "worse in french (-0.500 ± 0.115 against speaks, p = 0.0039); "
        "no clear difference in music (-0.050 ± 0.050 against speaks, p = 1)."
    )


def test_headline_lists_several_losses() -> None:
    """All that is lost is named."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=2, french=3, music=4),
            entry_of("p", "parent", maths=20, french=20, music=20),
        )
    )
    assert "it is worse than the best parent, p (-0.850" in story.headline
    assert "better in" not in story.headline
    worse = story.headline.split("worse in ")[1]
    assert worse.startswith("maths (-0.900")
    assert "), french (-0.850" in worse
    assert ") and music (-0.800" in worse


def test_headline_names_the_tasks_in_which_another_model_is_better() -> None:
    """Of the models that are not parents each task's best is named where it beats the champion."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=18, french=10),
            entry_of("p", "parent", maths=5, french=9),
            entry_of("ties", "baseline", maths=17, french=0),
            entry_of("layers", "tuned", maths=0, french=20),
        )
    )
    # twice McNemar's p of ten changes in one direction, for the better of two models
    better = "layers in french (-0.500 ± 0.115, p = 0.0039)"
    assert story.headline.endswith(f"In single tasks another model is better: {better}.")
    assert story.luck[-1].startswith("The lead over layers in french (-0.500) is a loss")
    assert "ties in maths" not in f"{story.headline}{story.luck}"


def test_headline_of_one_task_says_it_once() -> None:
    """With one task the whole is the task."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=9),
            entry_of("p", "parent", maths=5),
            entry_of("sweep", "tuned", maths=20),
        )
    )
    assert "Task by task" not in story.headline
    assert () == story.other_rivals
    assert story.headline.endswith(").")


def test_headline_names_a_base_that_was_not_beaten() -> None:
    """A merge that is not better than where it started says so; a beaten base goes unsaid."""
    champion, parent = entry_of("it", "champion", maths=9), entry_of("p", "parent", maths=1)
    lost = told(selection=selection_with(champion, parent, entry_of("b", "base", maths=20)))
    won = told(selection=selection_with(champion, parent, entry_of("b", "base", maths=0)))
    assert "and is worse than the base, b (-0.550" in lost.headline
    assert "base" not in won.headline


def test_headline_says_that_the_champion_is_a_parent() -> None:
    """Where no merge was better than a parent alone, whose weights the champion then has."""
    champion, parent = entry_of("it", "champion", maths=9), entry_of("p", "parent", maths=9)
    same = told(selection=selection_with(champion, replace(parent, weights_hash=b"it".hex())))
    said = "It is the parent p itself: the weights are the same, bit for bit."
    assert said in same.headline
    assert said not in told(selection=selection_with(champion, parent)).headline


def test_headline_without_rivals_is_the_score() -> None:
    """A champion alone is compared with nothing."""
    story = told(selection=selection_with(entry_of("it", "champion", maths=10)))
    assert story.headline == "it scores 0.500 ± 0.115 on the test split."
