"""The tokenizer of a union, as transformers reads it: ids, splitting, saying, bytes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.tokenizer_vocabulary import read_tokens
from stages.errors import RecipeError
from stages.merge.tokenizers import TokenizerRule, TokenSource, Vocabulary, prepare
from tests.merge.tokenizers.conftest import speaker

ENGLISH = ["the cat sat on the mat", "hello world, this is a test of the arithmetic"]
SPANISH = ["el gato y el perro corren por la casa", "hola mundo, esto es una prueba"]


def _bytes_bpe(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>"], initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(texts * 3, trainer)
    return tokenizer


def _pieces_bpe(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))  # noqa: S106
    spaces = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(spaces)
    strip = [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(strip)
    trainer = trainers.BpeTrainer(
        vocab_size=60, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    tokenizer.train_from_iterator(texts * 3, trainer)
    return tokenizer


def _unigram(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=60,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",  # noqa: S106
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts * 3, trainer)
    return tokenizer


KINDS: dict[str, tuple[Callable[[list[str]], Tokenizer], str]] = {
    "GPT-2": (_bytes_bpe, "GPT2Tokenizer"),
    "Qwen2": (_bytes_bpe, "Qwen2Tokenizer"),
    "Llama": (_pieces_bpe, "LlamaTokenizer"),
    "bytes": (_bytes_bpe, "PreTrainedTokenizerFast"),
    "pieces": (_pieces_bpe, "PreTrainedTokenizerFast"),
    "Unigram": (_unigram, "PreTrainedTokenizerFast"),
}


def _model(folder: Path, tokenizer: Tokenizer, added: list[str], name: str) -> Checkpoint:
    """Return a model whose embedding has a row for each token of ``tokenizer`` and ``added``."""
    tokenizer.add_special_tokens(added)
    size = tokenizer.get_vocab_size()
    model = speaker(folder, ["x"], num_rows=size)
    tokenizer.save(str(folder / "tokenizer.json"))
    config: dict[str, Any] = {"tokenizer_class": name, "eos_token": "</s>", "unk_token": "<unk>"}
    if "GPT2" in name or "Qwen2" in name:
        config = {"tokenizer_class": name, "eos_token": "<end>", "unk_token": "<end>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return model


def _union(root: Path, kind: str, **other: Any) -> tuple[Vocabulary, list[Any]]:
    """Return the union of an English and a Spanish model, and the three tokenizers as loaded."""
    make, name = KINDS[kind]
    english = _model(root / "english", make(ENGLISH), ["<|a|>"], name)
    spanish = _model(root / "spanish", make(SPANISH), ["<|b|>", "<|c|>"], name)
    rule = TokenizerRule("union", **other)
    vocabulary = prepare(rule, [english, spanish], ["english", "spanish"])
    (root / "child").mkdir()
    vocabulary.write(root / "child")
    folders = [root / folder for folder in ("english", "spanish", "child")]
    return vocabulary, [AutoTokenizer.from_pretrained(folder) for folder in folders]


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


@pytest.mark.parametrize("kind", KINDS)
def test_union_is_read_as_stated(kind: str, tmp_path: Path) -> None:
    """Ids are as planned, the base's text is split as before, all can be said and read back."""
    vocabulary, (english, spanish, child) = _union(tmp_path, kind)
    assert vocabulary.ids == {
        t: n for t, n in child.get_vocab().items() if t in (vocabulary.ids or {})
    }
    assert max((vocabulary.ids or {}).values()) < (vocabulary.size or 0)
    for text in (*ENGLISH, "the arithmetic of a <|a|> cat", "mat, test"):
        assert _ids(english, text) == _ids(child, text)
    for token in ("<|a|>", "<|b|>", "<|c|>"):
        assert child.convert_tokens_to_ids(token) in _ids(child, f"a cat{token}sat")
    said = spanish.convert_ids_to_tokens(_ids(spanish, SPANISH[1]))
    assert SPANISH[1] == child.decode([(vocabulary.ids or {})[token] for token in said])
    shown = child.decode(_ids(child, "cat<|b|>"), skip_special_tokens=True)
    assert "<|b|>" not in shown


def test_union_is_written_with_the_same_bytes(tmp_path: Path) -> None:
    """Two writes give equal files, and stale vocabulary files of the base are left out."""
    vocabulary, _ = _union(tmp_path, "GPT-2")
    (tmp_path / "english" / "merges.txt").write_text("a b", encoding="utf-8")
    (tmp_path / "again").mkdir()
    vocabulary.write(tmp_path / "again")
    first, second = (
        {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
        for name in ("child", "again")
    )
    assert first == second
    assert {"tokenizer.json", "tokenizer_config.json"} == set(first)


def test_union_of_one_vocabulary_copies_the_files(tmp_path: Path) -> None:
    """Where nothing is joined the base's files are copied byte by byte."""
    models_ = [speaker(tmp_path / name, ["one", "two"]) for name in ("a", "b")]
    (tmp_path / "child").mkdir()
    prepare(TokenizerRule("union"), models_, ["a", "b"]).write(tmp_path / "child")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "child" / name).read_bytes()


def test_union_adds_a_token_that_another_model_had_added(tmp_path: Path) -> None:
    """A word of the base that a parent had made an added token is one in the child."""
    base = speaker(tmp_path / "base", ["say", "cat"])
    chat = speaker(tmp_path / "chat", ["cat"], added=["say"])
    (tmp_path / "child").mkdir()
    vocabulary = prepare(TokenizerRule("union"), [base, chat], ["base", "chat"])
    vocabulary.write(tmp_path / "child")
    tokens = read_tokens(tmp_path / "child")
    assert (1, True) == (tokens.ids["say"], tokens.added["say"]["special"])
    assert vocabulary.changes_model


def test_added_tokens_of_older_configs_are_told_too(tmp_path: Path) -> None:
    """A tokenizer_config.json that lists added tokens lists those of the union."""
    base = speaker(tmp_path / "base", ["cat"])
    path = tmp_path / "base" / "tokenizer_config.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), "added_tokens_decoder": {}}
    path.write_text(json.dumps(config), encoding="utf-8")
    chat = speaker(tmp_path / "chat", [], added=["<b>"])
    (tmp_path / "child").mkdir()
    prepare(TokenizerRule("union"), [base, chat], ["base", "chat"]).write(tmp_path / "child")
    written = json.loads((tmp_path / "child" / "tokenizer_config.json").read_text("utf-8"))
    assert ["<b>"] == [entry["content"] for entry in written["added_tokens_decoder"].values()]
    assert "<b>" in AutoTokenizer.from_pretrained(tmp_path / "child").get_vocab()


def test_union_of_other_spellings_is_refused(tmp_path: Path) -> None:
    """Byte-level tokens in a tokenizer of text pieces would be read back wrong: an error."""
    pieces = _model(tmp_path / "p", _pieces_bpe(ENGLISH), [], "PreTrainedTokenizerFast")
    spelled = _model(tmp_path / "b", _bytes_bpe(SPANISH), [], "PreTrainedTokenizerFast")
    with pytest.raises(RecipeError, match="BPE of bytes, those of p BPE"):
        prepare(TokenizerRule("union"), [pieces, spelled], ["p", "b"])
    assert prepare(TokenizerRule("b"), [pieces, spelled], ["p", "b"]).is_moved


def test_rule_adds_tokens_to_the_files(tmp_path: Path) -> None:
    """A token that only the rule names is in the written tokenizer, as a special one."""
    base = speaker(tmp_path / "base", ["cat"])
    (tmp_path / "child").mkdir()
    rule = TokenizerRule("base", {"<new>": TokenSource("zero")})
    prepare(rule, [base], ["base"]).write(tmp_path / "child")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "child")
    assert [1, 2] == _ids(tokenizer, "cat<new>")
