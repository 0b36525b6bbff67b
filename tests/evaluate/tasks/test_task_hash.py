"""What documents, configs and model folders are known by."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate.tasks.task_hash import folder_key, item_id, plain

docs = st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(), st.floats()))


@given(doc=docs)
def test_item_id_is_of_the_content(doc: dict[str, object]) -> None:
    """Key order is not content; another field is."""
    assert item_id(doc) == item_id(dict(reversed(doc.items())))
    assert item_id(doc) != item_id(doc | {"one more": 1})
    assert len(item_id(doc)) == 16


def test_plain_data_can_always_be_written() -> None:
    """Arrays, bytes, dates, NaN and functions become plain JSON data, the same in any process."""
    value = {
        1: np.float32(0.5),
        "a": np.arange(2),
        "b": b"\x01",
        "d": dt.date(2024, 1, 2),
        "n": float("nan"),
        "o": object(),
        "s": {2, 1},
    }
    assert plain(value) == {
        "1": 0.5,
        "a": [0, 1],
        "b": "01",
        "d": "2024-01-02",
        "n": "nan",
        "o": "object",
        "s": [1, 2],
    }
    assert plain(json.dumps) == plain(json.dumps)
    assert "at 0x" not in json.dumps(plain([json.dumps, lambda: 0, object()]))


def test_folder_key_is_of_config_and_tokenizer(
    model_folder: Path, other_model_folder: Path
) -> None:
    """Two models that differ in weights alone share a key; a changed tokenizer does not."""
    assert folder_key(model_folder) == folder_key(other_model_folder)
    tokenizer = other_model_folder / "tokenizer.json"
    before = tokenizer.read_text()
    tokenizer.write_text(before.replace('"a"', '"ä"'))
    try:
        assert folder_key(model_folder) != folder_key(other_model_folder)
    finally:
        tokenizer.write_text(before)


def test_folder_key_ignores_the_model_card(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card and the weights' index decide no score."""
    monkeypatch.chdir(tmp_path)
    for path in model_folder.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    before = folder_key(tmp_path)
    (tmp_path / "README.md").write_text("card")
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    assert before == folder_key(tmp_path)
