"""JSON that no reader of the program takes, with the line that is wrong."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.json_text import json_in, read_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text() | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ('{"a": 1,\n "a": 2}', "line 2: 'a' is there twice"),
        ('{"a": {"b": 1},\n "c": {"b": 1,\n "\\u0062": 2}}', "line 3: 'b' is there twice"),
        ("[1,\nNaN]", "line 2: NaN is not a number"),
        ("[-Infinity]", "line 1: -Infinity is not"),
        ("[1,\n\n1e999]", "line 3: 1e999 is too large"),
        ("[1,\n2e-999]", "line 2: 2e-999 is too close to 0"),
        ("[" + "9" * 400 + "]", "line 1: a number of 400 digits"),
        ("[" * 101 + "]" * 101, "nested deeper than 100 levels"),
        ("[" * 100_000, "nested deeper than 100 levels"),
        ('["a",\n"\\ud800"]', r"line 2: \\ud800 is half of a character"),
        ('{"a": 1,}', "line 1: "),
        ('["\t"]', "line 1: Invalid control character"),
        ("[1] 2", "line 1: Extra data"),
    ],
)
def test_text_that_is_not_json_is_refused(text: str, message: str) -> None:
    """Each message says what is wrong, and where that can be told."""
    with pytest.raises(ValueError, match=f"^{message}"):
        json_in(text)


@given(PLAIN)
def test_what_python_writes_is_read(value: object) -> None:
    """Escapes, pairs of surrogates and long numbers among it."""
    assert value == json_in(json.dumps(value))
    assert value == json_in(json.dumps(value, ensure_ascii=False))


def test_constants_are_read_where_they_mean_something(tmp_path: Path) -> None:
    """Configs of transformers hold infinities."""
    (tmp_path / "a.json").write_text('{"limit": [0.0, Infinity]}', encoding="utf-8")

    assert {"limit": [0.0, float("inf")]} == read_json(tmp_path / "a.json", constants=["Infinity"])
    with pytest.raises(ValueError, match="Infinity is not a number"):
        read_json(tmp_path / "a.json")
