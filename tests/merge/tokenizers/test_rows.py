"""Which row a model gives for a token: each case by hand, and all cases against a naive twin."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError, RecipeError
from stages.merge.tokenizers import TokenizerRule, TokenSource, Vocabulary, prepare
from stages.merge.tokenizers.row_moves import read
from tests.merge.conftest import save_tensors
from tests.merge.tokenizers.conftest import BIAS, EMBEDDING, HEAD, speaker

WORDS = ["one", "two", "three", "four", "five", "six"]
UNION = TokenizerRule("union")


def _moved(vocabulary: Vocabulary, name: str = EMBEDDING) -> list[torch.Tensor]:
    """Return every model's matrix as the merge sees it."""
    places = range(len(vocabulary.models))
    return read([(vocabulary.models[p], name, vocabulary.rows(p, name)) for p in places])


def _first(vocabulary: Vocabulary) -> list[list[float]]:
    """Return the first column of every model's embedding: start + row, where it has the row."""
    return [matrix[:, 0].tolist() for matrix in _moved(vocabulary)]


def test_equal_vocabularies_move_nothing(tmp_path: Path) -> None:
    """Models of the same tokens and rows are read as they are: the very maps of their files."""
    models = [speaker(tmp_path / name, WORDS, start=10.0) for name in ("a", "b")]
    for rule in (TokenizerRule(), UNION, TokenizerRule("b")):
        vocabulary = prepare(rule, models, ["a", "b"])
        assert not vocabulary.is_moved
        assert vocabulary.ids is None
        assert [None, None] == [vocabulary.rows(number, EMBEDDING) for number in (0, 1)]
        assert vocabulary.info(1, EMBEDDING) == models[1].tensors[EMBEDDING]
        assert 7 == vocabulary.size


def test_union_appends_what_the_base_lacks_in_order_of_models(tmp_path: Path) -> None:
    """The base's ids stay; then come the first parent's other tokens by id, then the next's."""
    base = speaker(tmp_path / "base", ["one", "two"])
    first = speaker(tmp_path / "first", ["four", "one", "three"], added=["<a>"], start=100.0)
    second = speaker(tmp_path / "second", ["three", "five"], added=["<b>", "<a>"], start=200.0)
    union = prepare(UNION, [base, first, second], ["base", "first", "second"])
    names = ["?", "one", "two", "four", "three", "<a>", "five", "<b>"]
    assert {name: number for number, name in enumerate(names)} == union.ids
    assert ["<a>", "<b>"] == sorted(union.added or {})
    assert 8 == union.size == union.info(0, EMBEDDING).shape[0]
    # one donor: four, five, <b>. several and not the base: three and <a>, averaged.
    shared = [(103 + 201) / 2, (104 + 204) / 2]
    assert [
        [0, 1, 2, 101, *shared, 202, 203],
        [100, 102, 2, 101, 103, 104, 202, 203],
        [200, 1, 2, 101, 201, 204, 202, 203],
    ] == _first(union)


def test_base_row_stands_in_where_several_have_the_token(tmp_path: Path) -> None:
    """A token that a model lacks and several have, the base too, has the base's row in it."""
    base = speaker(tmp_path / "base", ["one", "two"])
    first = speaker(tmp_path / "first", ["two", "one"], start=100.0)
    second = speaker(tmp_path / "second", ["one"], start=200.0)
    labels = ["base", "first", "second"]
    union = prepare(TokenizerRule(), [base, first, second], labels)
    assert [[0, 1, 2], [100, 102, 101], [200, 201, 2]] == _first(union)
    union = prepare(TokenizerRule(), [base, first, second], labels, has_base=False)
    assert [200, 201, (2 + 101) / 2] == _first(union)[2]


def test_named_model_gives_the_vocabulary(tmp_path: Path) -> None:
    """The child of a named model has its ids; tokens that only others have are gone."""
    base = speaker(tmp_path / "base", ["one", "two"])
    chat = speaker(tmp_path / "chat", ["two"], added=["<say>"], start=100.0)
    vocabulary = prepare(TokenizerRule("chat"), [base, chat], ["base", "chat"])
    assert (1, 3, None) == (vocabulary.owner, vocabulary.size, vocabulary.ids)
    assert [[0, 2, 102], [100, 101, 102]] == _first(vocabulary)
    assert vocabulary.rows(1, EMBEDDING) is None


def test_heads_and_biases_are_moved_alike(tmp_path: Path) -> None:
    """The output head and its bias follow the embedding; other tensors are not touched."""
    base = speaker(tmp_path / "base", ["one", "two"])
    chat = speaker(tmp_path / "chat", ["two", "new"], start=100.0)
    union = prepare(UNION, [base, chat], ["base", "chat"])
    assert [0, 2, 4, 204] == _moved(union, HEAD)[0][:, 0].tolist()
    assert [[0, 1, 2, 102], [100, 1, 101, 102]] == [b.tolist() for b in _moved(union, BIAS)]
    assert union.rows(0, "model.norm.weight") is None
    assert (2,) == union.info(0, "model.norm.weight").shape


def test_tied_model_gives_its_embedding_as_head(tmp_path: Path) -> None:
    """Rows for another model's head come from the embedding of a donor that has no head."""
    base = speaker(tmp_path / "base", ["one"])
    tied = speaker(tmp_path / "tied", ["one", "new"], start=100.0)
    tensors = {n: tied.read(n).clone() for n in (EMBEDDING, "model.norm.weight")}
    (tmp_path / "tied" / "model.safetensors").unlink()
    (tmp_path / "t").mkdir()
    bare = save_tensors(tmp_path / "bare", tensors, '{"vocab_size": 3}')
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "bare" / name).write_bytes((tmp_path / "tied" / name).read_bytes())
    union = prepare(UNION, [base, bare], ["base", "tied"])
    heads = read([(base, HEAD, union.rows(0, HEAD)), (bare, EMBEDDING, union.rows(1, HEAD))])
    assert [[0, 2, 102], [100, 101, 102]] == [matrix[:, 0].tolist() for matrix in heads]
    with pytest.raises(RecipeError, match="bare has tokens that others lack"):
        union.rows(0, BIAS)


def test_token_without_a_row_is_the_mean(tmp_path: Path) -> None:
    """A token that no model has a row for gets the mean of each model's own tokens."""
    base = speaker(tmp_path / "base", ["one"], added=["<late>"], num_rows=2)
    first = speaker(tmp_path / "first", ["two"], added=["<late>"], num_rows=2, start=100.0)
    union = prepare(UNION, [base, first], ["base", "first"])
    assert [[0, 1, 0.5, 101], [100, 1, 100.5, 101]] == _first(union)


def test_rows_beyond_the_tokens_stay(tmp_path: Path) -> None:
    """Rows of the owner that no token stands for are kept, and new tokens take their places."""
    base = speaker(tmp_path / "base", ["one"], num_rows=6)
    first = speaker(tmp_path / "first", ["one", "new"], num_rows=8, start=100.0)
    union = prepare(UNION, [base, first], ["base", "first"])
    assert [[0, 1, 102, 3, 4, 5], [100, 101, 102, 3, 4, 5]] == _first(union)
    assert 6 == union.size


def test_other_row_counts_of_one_vocabulary_are_matched(tmp_path: Path) -> None:
    """Models of the same tokens whose matrices were padded otherwise get the owner's rows."""
    base = speaker(tmp_path / "base", ["one"], num_rows=4)
    wide = speaker(tmp_path / "wide", ["one"], num_rows=6, start=100.0)
    assert [[0, 1, 2, 3], [100, 101, 2, 3]] == _first(
        prepare(TokenizerRule(), [base, wide], ["base", "wide"])
    )


def test_padding_rows_are_means(tmp_path: Path) -> None:
    """With pad_to_multiple_of the rows above the tokens are each model's mean, no others."""
    models = [
        speaker(tmp_path / n, ["one"], num_rows=7, start=s) for n, s in (("a", 0.0), ("b", 9.0))
    ]
    vocabulary = prepare(TokenizerRule(pad_to_multiple_of=4), models, ["a", "b"])
    assert [[0, 1, 0.5, 0.5], [9, 10, 9.5, 9.5]] == _first(vocabulary)
    assert {"vocab_size": 4} == vocabulary.config({"vocab_size": 7})
    full = prepare(TokenizerRule(pad_to_multiple_of=7), models, ["a", "b"])
    assert not full.is_moved


@pytest.mark.parametrize(
    ("source", "lacking", "having"),
    [
        (TokenSource("zero"), 0.0, 102.0),
        (TokenSource("zero", force=True), 0.0, 0.0),
        (TokenSource("model", "chat"), 102.0, 102.0),
        (TokenSource("model_token", "base", "one"), 1.0, 102.0),
        (TokenSource("model_token", "base", "one", force=True), 1.0, 1.0),
        (TokenSource("model_token", "chat", token_id=0, force=True), 100.0, 100.0),
    ],
)
def test_named_sources_of_a_token(
    source: TokenSource, lacking: float, having: float, tmp_path: Path
) -> None:
    """A token's row comes from where the rule says, with force in models that have it too."""
    base = speaker(tmp_path / "base", ["one"])
    chat = speaker(tmp_path / "chat", ["one", "new"], start=100.0)
    rule = TokenizerRule("union", {"new": source})
    vocabulary = prepare(rule, [base, chat], ["base", "chat"])
    assert [[0, 1, lacking], [100, 101, having]] == _first(vocabulary)


def test_named_token_that_nobody_has_is_added(tmp_path: Path) -> None:
    """A token of the rule that the tokenizer lacks is added to it, with the row it names."""
    models = [speaker(tmp_path / n, ["one"], start=s) for n, s in (("a", 0.0), ("b", 9.0))]
    rule = TokenizerRule("b", {"<new>": TokenSource("model_token", "a", "one")})
    vocabulary = prepare(rule, models, ["a", "b"])
    assert [[0, 1, 1], [9, 10, 1]] == _first(vocabulary)
    assert {"?": 0, "one": 1, "<new>": 2} == vocabulary.ids


def test_mixed_dtypes_move_in_float32(tmp_path: Path) -> None:
    """Moved rows of models in different dtypes are in float32: no row is rounded by the move."""
    base = speaker(tmp_path / "base", ["one"], dtype=torch.bfloat16)
    chat = speaker(tmp_path / "chat", ["new"], start=1000.3)
    matrices = _moved(prepare(UNION, [base, chat], ["base", "chat"]))
    assert [torch.float32] * 2 == [matrix.dtype for matrix in matrices]
    assert torch.equal(matrices[0][2], chat.read(EMBEDDING)[1])


def test_model_without_tokenizer(tmp_path: Path) -> None:
    """Such a model is taken to have the owner's tokens if it has as many rows, else refused."""
    base = speaker(tmp_path / "base", ["one"])
    for name, num_rows in (("same", 2), ("other", 3)):
        speaker(tmp_path / name, ["one"], num_rows=num_rows)
        (tmp_path / name / "tokenizer.json").unlink()
    same, other = Checkpoint(tmp_path / "same"), Checkpoint(tmp_path / "other")
    assert not prepare(TokenizerRule(), [base, same], ["a", "b"]).is_moved
    assert not prepare(TokenizerRule(), [same, same], ["a", "b"]).is_moved
    for rule, models in (
        (TokenizerRule(), [base, other]),
        (TokenizerRule(), [same, other]),
        (UNION, [base, same]),
    ):
        with pytest.raises(CheckpointError, match="holds no tokenizer, so nobody knows"):
            prepare(rule, models, ["a", "b"])


def test_model_without_embedding_cannot_be_moved(tmp_path: Path) -> None:
    """Other tokens without a matrix to move are refused by the model's name."""
    base = speaker(tmp_path / "base", ["one"])
    bare = speaker(tmp_path / "bare", ["two"])
    tensors = {"odd.weight": bare.read(EMBEDDING).clone()}
    (tmp_path / "bare" / "model.safetensors").unlink()
    (tmp_path / "bare" / "config.json").unlink()
    (tmp_path / "bare").rename(tmp_path / "old")
    bare = save_tensors(tmp_path / "bare", tensors)
    (tmp_path / "old" / "tokenizer.json").rename(tmp_path / "bare" / "tokenizer.json")
    with pytest.raises(RecipeError, match="bare has other tokens than base, and no embedding"):
        prepare(UNION, [base, bare], ["base", "bare"])


words = st.lists(st.sampled_from(WORDS), unique=True)


@given(
    spoken=st.lists(st.tuples(words, st.integers(-2, 2)), min_size=2, max_size=4),
    source=st.sampled_from(["base", "union", "1"]),
    pad=st.sampled_from([None, 1, 4]),
)
def test_rows_follow_the_rule(
    spoken: Sequence[tuple[list[str], int]], source: str, pad: int | None
) -> None:
    """For any vocabularies and row counts, every row is the one that a naive reading gives."""
    with TemporaryDirectory() as root:
        models = [
            speaker(
                Path(root) / str(n), said, num_rows=max(1, len(said) + 1 + more), start=64.0 * n
            )
            for n, (said, more) in enumerate(spoken)
        ]
        labels = [str(n) for n in range(len(models))]
        vocabulary = prepare(TokenizerRule(source, pad_to_multiple_of=pad), models, labels)
        moved = _first(vocabulary)
        counts = [model.tensors[EMBEDDING].shape[0] for model in models]
    ids = [{t: n for n, t in enumerate(["?", *said])} for said, _ in spoken]
    if not vocabulary.is_moved and all(other == ids[0] for other in ids) and len(set(counts)) == 1:
        return  # one vocabulary: left as it is, also where it has tokens beyond the rows
    owner = 1 if source == "1" else 0
    child = _naive_tokens(ids, ids if source == "union" else [], owner)
    expected = _naive(ids, counts, child, owner, pad)
    assert [pytest.approx(rows) for rows in expected] == moved


def _naive_tokens(
    ids: Sequence[Mapping[str, int]], joined: Sequence[Mapping[str, int]], owner: int
) -> dict[str, int]:
    """Return the child's tokens: the owner's, then what each of ``joined`` adds."""
    child = dict(ids[owner])
    for other in joined:
        for token, _ in sorted(other.items(), key=lambda item: item[1]):
            child.setdefault(token, len(child))
    return child


def _naive(
    ids: Sequence[Mapping[str, int]],
    counts: Sequence[int],
    child: Mapping[str, int],
    owner: int,
    pad: int | None,
) -> list[list[float]]:
    """Return each model's rows, token by token."""
    size = max(len(child), counts[owner]) if pad is None else -(-len(child) // pad) * pad
    named = {number: token for token, number in child.items()}

    def own(model: int, row: int) -> int | None:
        number = ids[model].get(named[row]) if row in named else None
        if row not in named and model == owner and pad is None:
            number = row
        return number if number is not None and number < counts[model] else None

    rows = []
    for model, known in enumerate(ids):
        seen = [float(64 * model + n) for n in known.values() if n < counts[model]]
        row_values = []
        for row in range(size):
            having = {m: n for m in range(len(ids)) if (n := own(m, row)) is not None}
            used = next(({m: having[m]} for m in (model, 0) if m in having), having)
            values = [64.0 * m + n for m, n in used.items()] or seen
            row_values.append(sum(values) / len(values))
        rows.append(row_values)
    return rows
