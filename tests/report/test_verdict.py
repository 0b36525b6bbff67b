"""The sentences: what the champion wins, what it loses, and what cannot be told."""

from dataclasses import replace

from tests.report.conftest import entry_of, selection_with, told


def test_findings_say_what_can_be_told() -> None:
    """The champion beats the best parent and cannot be told from the tied baseline."""
    story = told()
    assert story.headline.startswith("g02-c03 scores 0.900 ± ")
    assert story.findings[0].startswith("It beats the best parent, p0 (+0.500 ± ")
    tied = "It cannot be told from the best baseline, uniform (+0.000"
    assert story.findings[1].startswith(tied)


def test_findings_say_losses_like_gains() -> None:
    """Each task's best parent is named, where the champion is better, worse, or neither."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=18, french=10, music=7),
            entry_of("counts", "parent", maths=5, french=0, music=0),
            entry_of("speaks", "parent", maths=0, french=20, music=8),
        )
    )
    first, *tasks = story.findings
    assert "the best parent, speaks (" in first
    against = "Against the best parent of each task: "
    assert tasks == [
        f"{against}better in maths (+0.650 ± 0.109 against counts, p = 0.00024).",
        f"{against}worse in french (-0.500 ± 0.115 against speaks, p = 0.0039).",
        f"{against}no clear difference in music (-0.050 ± 0.050 against speaks, p = 1).",
    ]


def test_findings_list_several_losses() -> None:
    """All that is lost is named."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=2, french=3, music=4),
            entry_of("p", "parent", maths=20, french=20, music=20),
        )
    )
    first, second = story.findings
    assert first.startswith("It is worse than the best parent, p (-0.850")
    worse = second.split("worse in ")[1]
    assert worse.startswith("maths (-0.900")
    assert "), french (-0.850" in worse
    assert ") and music (-0.800" in worse


def test_findings_name_the_tasks_in_which_another_model_is_better() -> None:
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
    assert story.findings[-1] == f"In single tasks another model is better: {better}."
    assert story.luck[-1].startswith("The lead over layers in french (-0.500) is a loss")
    assert "ties in maths" not in f"{story.verdict}{story.luck}"


def test_findings_of_one_task_say_it_once() -> None:
    """With one task the whole is the task."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=9),
            entry_of("p", "parent", maths=5),
            entry_of("sweep", "tuned", maths=20),
        )
    )
    assert () == story.other_rivals
    starts = ("It cannot be told from the best parent, p (", "It is worse than the best tuned ")
    assert [True, True] == [
        finding.startswith(start) and finding.endswith(").")
        for finding, start in zip(story.findings, starts, strict=True)
    ]


def test_findings_name_a_base_that_was_not_beaten() -> None:
    """A merge that is not better than where it started says so; a beaten base goes unsaid."""
    champion, parent = entry_of("it", "champion", maths=9), entry_of("p", "parent", maths=1)
    lost = told(selection=selection_with(champion, parent, entry_of("b", "base", maths=20)))
    won = told(selection=selection_with(champion, parent, entry_of("b", "base", maths=0)))
    assert lost.findings[-1].startswith("It is worse than the base, b (-0.550")
    named = told(selection=selection_with(champion, parent, entry_of("base", "base", maths=20)))
    assert named.findings[-1].startswith("It is worse than the base (-0.550")
    assert "base" not in won.verdict


def test_headline_says_that_the_champion_is_a_parent() -> None:
    """Where no merge was better than a parent alone, whose weights the champion then has."""
    champion, parent = entry_of("it", "champion", maths=9), entry_of("p", "parent", maths=9)
    same = told(selection=selection_with(champion, replace(parent, weights_hash=b"it".hex())))
    said = "It is the parent p itself: the weights are the same, bit for bit."
    assert said in same.headline
    assert said not in told(selection=selection_with(champion, parent)).headline


def test_verdict_is_the_headline_and_a_line_for_each_finding() -> None:
    """Nobody reads a paragraph of figures; a champion alone is compared with nothing."""
    first, space, *lines = told().verdict.splitlines()
    assert (told().headline, "") == (first, space)
    assert [f"- {finding}" for finding in told().findings] == lines
    alone = told(selection=selection_with(entry_of("it", "champion", maths=10)))
    assert alone.verdict == "it scores 0.500 ± 0.115 on the test split."
