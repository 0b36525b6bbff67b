"""What files hold steers no terminal."""

import json

import pytest

from flows.inspection.terminal_text import json_text, printable

STEERING = "\x1b[31m\r\x07\x9b2J\x7f\u202e\t\ud800"


def test_control_characters_are_spelled_out() -> None:
    """Letters of any script and line feeds stay."""
    text = printable(f"é 日本 <b>\n{STEERING}")
    assert text.startswith("é 日本 <b>\n\\x1b[31m\\r\\x07\\x9b2J\\x7f\\u202e\\t")
    assert all(character.isprintable() for line in text.split("\n") for character in line)


def test_json_is_the_same_data_without_control_characters() -> None:
    """Any parser gives the text back."""
    data = {"name": f"é{STEERING}\n\U000e0001", "values": [1, None]}
    text = json_text(data)
    assert data == json.loads(text)
    assert all(character.isprintable() for line in text.split("\n") for character in line)
    with pytest.raises(ValueError, match="Out of range"):
        json_text({"a": float("nan")})
