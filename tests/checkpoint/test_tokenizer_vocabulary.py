"""Reading vocabularies: from tokenizer.json, with gaps in its ids, and from older files."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

from stages.checkpoint.tokenizer_vocabulary import has_tokenizer, read_tokens
from stages.errors import CheckpointError


def _write(folder: Path, words: dict[str, int], added: dict[str, int]) -> None:
    """Write a tokenizer.json of whole words with added tokens under the ids given."""
    data = json.loads(Tokenizer(models.WordLevel(words, "a")).to_str())
    flags = dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False)
    data["added_tokens"] = [
        {"content": token, "id": number, "special": True, **flags}
        for token, number in added.items()
    ]
    (folder / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize("number", [2, 9])
def test_ids_are_those_that_the_library_gives(number: int, tmp_path: Path) -> None:
    """An added token has the id it is loaded with, also where the file leaves a gap before it."""
    _write(tmp_path, {"a": 0, "b": 1}, {"<x>": number})
    tokens = read_tokens(tmp_path)
    loaded = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert loaded.get_vocab() == tokens.ids == {"a": 0, "b": 1, "<x>": 2}
    assert tokens.added["<x>"]["special"]


def test_equal_vocabularies_have_equal_hashes(tmp_path: Path) -> None:
    """The hash is of tokens, ids and settings, not of the order in which a file has them."""
    hashes = []
    for name, words in (("x", {"a": 0, "b": 1}), ("y", {"b": 1, "a": 0}), ("z", {"a": 1, "b": 0})):
        (tmp_path / name).mkdir()
        _write(tmp_path / name, words, {})
        hashes.append(read_tokens(tmp_path / name).hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_older_files_are_read_as_transformers_reads_them(tmp_path: Path) -> None:
    """A folder with vocab.json and merges.txt alone has the vocabulary that transformers loads."""
    vocab = {"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n", encoding="utf-8")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}', encoding="utf-8")
    config = {"tokenizer_class": "GPT2Tokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert has_tokenizer(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).get_vocab() == read_tokens(tmp_path).ids
    assert 2 == read_tokens(tmp_path).ids["ab"]


@pytest.mark.parametrize("number", ["-1", "16777216", "1000000000", '"1"', "1.0", "true", "null"])
def test_ids_that_are_not_rows_are_refused(number: str, tmp_path: Path) -> None:
    """An id is a whole number from 0 to 2^24 - 1, in the vocabulary and among added tokens."""
    path = tmp_path / "tokenizer.json"
    _write(tmp_path, {"a": 0, "b": 1}, {"<x>": 2})
    sound = path.read_text(encoding="utf-8")
    for old, new in (('"b":1', f'"b":{number}'), ('"id": 2', f'"id": {number}')):
        damaged = sound.replace(old, new).replace(old.replace(":", ": "), new)
        assert damaged != sound, old
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(CheckpointError, match="its id is not a number from 0 to 16777215"):
            read_tokens(tmp_path)


def test_damaged_tokenizer_is_told(tmp_path: Path) -> None:
    """A file that is not a tokenizer is one clear error."""
    (tmp_path / "tokenizer.json").write_text('{"model": {}}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"the tokenizer cannot be read: KeyError: 'vocab'"):
        read_tokens(tmp_path)


@pytest.mark.parametrize("part", ["normalizer", "pre_tokenizer", "post_processor", "decoder"])
@pytest.mark.parametrize("odd", [10**9, [], "ByteLevel", {}, {"type": 3}], ids=str)
def test_a_part_that_is_none_is_refused(part: str, odd: object, tmp_path: Path) -> None:
    """The library could not load it, and a child would carry it."""
    _write(tmp_path, {"a": 0, "b": 1}, {})
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), part: odd}))
    with pytest.raises(CheckpointError, match=f"the tokenizer cannot be read: .*{part} is "):
        read_tokens(tmp_path)
