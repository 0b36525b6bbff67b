"""Differences of plain data: named by key, by name and by place."""

from flows.audit.check_verdict import Difference, Verdict, differences_in


def test_differences_are_named_by_keys_and_names() -> None:
    """Entries of lists are called by their names; what one side lacks is a difference."""
    one = {"rows": [{"name": "a", "x": 1.0}, {"name": "b"}], "only": None, "list": [1, 2]}
    other = {"rows": [{"name": "a", "x": 1.5}], "list": [1, 3], "more": "text"}
    said = [str(difference) for difference in differences_in("file", one, other)]
    assert said == [
        "file, rows, a, x: recorded 1.0, now 1.5",
        'file, rows, b: recorded {"name": "b"}, now nothing',
        "file, only: recorded null, now nothing",
        "file, list, entry 2: recorded 2, now 3",
        "file, more: recorded nothing, now text",
    ]
    assert list(differences_in("file", one, one)) == []


def test_long_values_are_cut() -> None:
    """A recipe or a page in a message would hide the rest."""
    (difference,) = differences_in("text", "a" * 1000, "b")
    assert len(difference.recorded) < 200


def test_verdict_agrees_where_nothing_differs() -> None:
    """What was not checked does not differ."""
    assert Verdict("a", "b", (), ("c",)).agrees
    assert not Verdict("a", "b", (Difference("x", "1", "2"),)).agrees
