"""Rows that hold several requests: whatever is shared, a request's path is the request."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate.resident.prefix_trees import ROW_TOKENS, rows_of
from stages.evaluate.resident.token_batches import Encoded, TokenBatch, batches_of

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=6)
REQUESTS = st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=12)
REACHES = st.sampled_from([None, 0, 4, 100])
CHOICES = [[7], [8, 9], [8, 9, 7, 7], [5, 6]]


def encoded(pairs: list[tuple[list[int], list[int]]]) -> list[Encoded]:
    """Return requests numbered in order."""
    return [Encoded(i, context, target, f"item {i}") for i, (context, target) in enumerate(pairs)]


def seen_by(batch: TokenBatch, row: int, column: int) -> list[int]:
    """Return the tokens that a place attends to, in the order of their positions."""
    if batch.depths is None:
        return [int(t) for t in batch.inputs[row, : column + 1]]
    is_seen = batch.mask(torch.float32, torch.device("cpu"))[row, 0, column] == 0
    depths = batch.depths[row, is_seen].tolist()
    assert depths == list(range(len(depths)))  # its ancestors, one at each depth
    return [int(t) for t in batch.inputs[row, is_seen]]


@given(pairs=REQUESTS, reach=REACHES, num_rows=st.integers(1, 4), num_tokens=st.integers(1, 60))
def test_a_target_is_read_where_just_its_own_inputs_are_seen(
    pairs: list[tuple[list[int], list[int]]], reach: int | None, num_rows: int, num_tokens: int
) -> None:
    """Each request is read once, each target token after the inputs before it and nothing else."""
    requests = encoded(pairs)
    rows = rows_of(requests, reach=reach)
    read = []
    for batch in batches_of(rows, num_rows=num_rows, num_tokens=num_tokens):
        places = batch.read.nonzero()[batch.sources].tolist()
        start = 0
        for reading in batch.readings:
            request = requests[reading.request]
            read.append(reading.request)
            for i in range(reading.num_tokens):
                row, column = places[start + i]
                assert reading.row == row
                assert request.context + request.target[:i] == seen_by(batch, row, column)
                assert request.target[i] == batch.targets[start + i]
            start += reading.num_tokens
    assert sorted(read) == list(range(len(requests)))


@given(pairs=REQUESTS, reach=REACHES)
def test_halves_hold_what_the_whole_held(
    pairs: list[tuple[list[int], list[int]]], reach: int | None
) -> None:
    """A batch's halves score the same requests, from the logits of their rows."""
    rows = rows_of(encoded(pairs), reach=reach)
    (whole,) = batches_of(rows, num_rows=99, num_tokens=10**6)
    if len(whole.items) < 2:
        return
    logits = torch.randn(int(whole.read.sum()), 3, generator=torch.Generator().manual_seed(1))
    first, second = whole.split()
    border = int(first.read.sum())
    halves = [*first.score(logits[:border], None), *second.score(logits[border:], None)]
    assert list(whole.score(logits, None)) == halves
    assert whole.items == first.items + second.items


def test_choices_share_their_context() -> None:
    """A row holds a context once and each choice but for its last token, common starts once."""
    context = list(range(20, 120))
    (row,) = rows_of(encoded([(context, choice) for choice in CHOICES]), reach=1000)
    assert len(row.tokens) == 100 + len([8, 9, 7]) + len([5])
    assert not row.is_chain


def test_without_reach_a_row_only_grows_at_its_end() -> None:
    """What does not continue a row, or longer than the reach, stands in a row of its own."""
    context = list(range(20, 120))
    requests = encoded([(context, choice) for choice in CHOICES])
    for reach in (0, 100):
        rows = rows_of(requests, reach=reach)
        assert [100 + 1, 100 + 3] == sorted(len(row.tokens) for row in rows)
        assert all(row.is_chain for row in rows)
    assert len(rows_of(requests, reach=None)) == 4


def test_requests_that_share_little_stand_apart() -> None:
    """A quarter must be shared; and a row grows to ROW_TOKENS or twice its longest request."""
    little = [([1, *range(i, i + 9)], [2]) for i in (10, 30)]
    assert len(rows_of(encoded(little), reach=1000)) == 2
    start = list(range(100, 130))
    many = [([*start, *range(i, i + 20)], [2]) for i in range(1000, 2000, 20)]
    rows = rows_of(encoded(many), reach=1000)
    assert len(rows) == -(-50 // ((ROW_TOKENS - 30) // 20))
    long = [([*range(1000), i, *range(500)], [2]) for i in range(5)]
    rows = rows_of(encoded(long), reach=8192)
    assert [1501 + 2 * 501, 1501 + 501] == [len(row.tokens) for row in rows]


def test_batches_keep_to_the_budget() -> None:
    """Rows times width and four for each place read stay within the budget; rows within theirs."""
    requests = encoded([([i] * (i % 40 + 1), [1, 2]) for i in range(100)])
    rows = rows_of(requests, reach=None)
    batches = batches_of(rows, num_rows=8, num_tokens=200)
    assert max(len(batch.items) for batch in batches) == 8
    for batch in batches:
        cost = batch.inputs.numel() + 3 * int(batch.read.sum())
        assert cost <= 200
    widths = [batch.inputs.shape[1] for batch in batches]
    assert widths == sorted(widths, reverse=True)
    alone = batches_of(rows, num_rows=8, num_tokens=1)
    assert len(alone) == len(rows)


def test_rows_of_a_batch_are_nearly_as_long() -> None:
    """A row is padded by an eighth at most where a batch holds more than a few tokens."""
    requests = encoded([([i + 1] * (i % 40 + 1), [1]) for i in range(2000)])
    batches = batches_of(rows_of(requests, reach=None), num_rows=999, num_tokens=10**6)
    large = [batch.inputs for batch in batches if batch.inputs.numel() > 512]
    assert len(large) > 5
    for inputs in large:
        assert int((inputs != 0).sum(dim=1).min()) >= 7 / 8 * inputs.shape[1]
