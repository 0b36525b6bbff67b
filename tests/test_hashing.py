"""Canonical JSON and hashes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.hashing import canonical_json, content_hash, file_hash, git_hash, nearest, weights_hash


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
def test_content_hash_does_not_depend_on_the_order_of_keys(data: dict[str, float]) -> None:
    """Equal mappings have equal hashes however they were built."""
    backwards = dict(reversed(list(data.items())))

    assert content_hash(data) == content_hash(backwards)


def test_canonical_json_refuses_nan() -> None:
    """NaN has no JSON text, so it cannot reach a key."""
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": float("nan")})


def test_canonical_json_is_golden() -> None:
    """The text is fixed: a change of it would change every id ever written."""
    assert '{"a":[1,2.5,"é"],"b":null}' == canonical_json({"b": None, "a": (1, 2.5, "é")})


def test_file_hash_is_golden(tmp_path: Path) -> None:
    """The hash of three bytes is SHA-256's published test vector."""
    path = tmp_path / "abc"
    path.write_bytes(b"abc")

    assert file_hash(path).startswith("ba7816bf8f01cfea414140de5dae2223")


def test_weights_hash_sees_names_shapes_and_types() -> None:
    """Each part of a tensor's identity changes the hash."""
    plain = {"w": ("F32", (2, 3), "00")}
    others = [{"v": plain["w"]}, {"w": ("BF16", (2, 3), "00")}, {"w": ("F32", (3, 2), "00")}]

    assert len({weights_hash(tensors) for tensors in [plain, *others]}) == 4


def test_nearest_names_the_word_meant() -> None:
    """A typo is answered with the legal word; nonsense is not."""
    assert " Did you mean 'ties'?" == nearest("tis", ["ties", "linear"])
    assert "" == nearest("zzzz", ["ties", "linear"])


def test_git_hash_is_gits() -> None:
    """Of no bytes and of a line, as `git hash-object` gives them."""
    assert git_hash(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_hash(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
