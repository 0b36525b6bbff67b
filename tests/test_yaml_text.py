"""YAML that no reader of the program takes, with the line that is wrong."""

import pytest

from stages.yaml_text import document_in, documents_in

BOMB = "a0: &a0 [1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "line 2: a is given twice, first on line 1"),
        ("a: {b: 1,\n b: 2}", "line 2: b is given twice"),
        ("a: 1\nb: [1", "line 2: not YAML: .*, in 'b: \\[1'"),
        ("a: 1\n\tb: 2", "line 2: not YAML"),
        ("a: \x07", "line 1: the character U\\+0007"),
        ('a: "\\uD800"', "line 1: an escape is half of a character"),
        ('a: 1\nb: "x\\0y"', "line 2: a control character"),
        ("a: !!python/object:os.system b", "line 1: the tag !!python/object:os.system is not"),
        ("a: !mine b", "line 1: the tag !mine is not"),
        ("a: !!set {b}", "line 1: the tag !!set is not"),
        ("a: 010", "line 1: YAML reads 010 as another number"),
        ("a: 1:30", "line 1: YAML reads 1:30 as another number"),
        ("a: " + "9" * 41, "line 1: a number of 41 digits"),
        ("a: 1\nb: 1e-400", "line 2: 1e-400 is too close to 0"),
        ("a: -.5e-999", "line 1: -.5e-999 is too close to 0"),
        ("? [1]\n: 2", "line 1: a key is not a word"),
        ("a: 1\n---\nb: 2", "line 3: a second document begins"),
        ("a: " + "[" * 31 + "]" * 31, "line 1: more than 100000 values, or 30 levels"),
        ("[" * 3000, "line 1: more than 30 levels"),
        ("a: [" + "1," * 100_000 + "1]", "line 1: more than 100000 values"),
        (BOMB, "line .*: more than 100000 values"),
        ("a: &a {<<: *a}", "line 1: << holds no mapping, or more than 30 levels"),
        ("<<: 3", "line 1: << holds no mapping"),
        ("a: *b", "line 1: not YAML: found undefined alias"),
        ("a: 1\n" * 200_000, "line 1: more than 500000 characters"),
    ],
)
def test_text_that_is_not_plain_data_is_refused(text: str, message: str) -> None:
    """Each message begins with the line."""
    with pytest.raises(ValueError, match=f"^{message}"):
        document_in(text)


def test_values_are_those_that_people_mean() -> None:
    """1e-5 is a number, a date is a text, and 0x1f, 1_000 and quotes are as in YAML."""
    text = "a: 1e-5\nb: 0x1f\nc: 1_000\nd: 2024-01-01\ne: '010'\nf: ~\ng: 0\nh: yes\n"
    text += "i: 0e-999\nj: 0.0e+9\nk: -.5\nl: +.5e3"
    document = document_in(text)

    assert document is not None
    assert document.plain() == {
        "a": 1e-5,
        "b": 31,
        "c": 1000,
        "d": "2024-01-01",
        "e": "010",
        "f": None,
        "g": 0,
        "h": True,
        "i": 0.0,
        "j": 0.0,
        "k": -0.5,
        "l": 500.0,
    }


def test_merged_keys_are_read_once_however_often_they_are_named() -> None:
    """Own keys win over ``<<``, and the first of several mappings over the others."""
    lines = "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}], k: {i}}}\n" for i in range(1, 29))
    document = documents_in(f"a0: &a0 {{x: 1, k: 0}}\n{lines}")[0].plain()

    assert isinstance(document, dict)
    assert document["a28"] == {"x": 1, "k": 28}
    first = document_in("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}")
    assert first is not None
    assert first.plain()["c"] == {"x": 1, "y": 2}  # type: ignore[index]
