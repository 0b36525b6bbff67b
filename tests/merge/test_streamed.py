"""Statistics of a whole tensor that large tensors stream by for: the same bits as from memory."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stages.merge.arithmetic.method import Sources
from stages.merge.arithmetic.thresholds import Magnitudes, cuts_of, in_memory
from stages.merge.methods import sce
from stages.merge.methods.arcee_fusion import fence_of
from tests.merge.strategies import merged

SIZES = [1, 130, 40_000, 300_001]  # the last two are more than their sample


def _models(size: int, *, digits: int = 9) -> list[Tensor]:
    """Return a base and two parents; few digits make many entries equal."""
    generator = torch.Generator().manual_seed(size)
    base = torch.randn(size, generator=generator)
    moved = [torch.randn(size, generator=generator).mul_(0.1).round(decimals=digits) for _ in "ab"]
    return [base, *(base + move for move in moved)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("digits", [1, 9])
@pytest.mark.parametrize("share", [0.02, 0.7])
def test_variances_are_the_same_kept_or_computed_again(
    size: int, digits: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SCE selects the same entries of a tensor too large for its variances to be kept."""
    base, *parents = _models(size, digits=digits)
    child = merged("sce", base, parents, select_topk=share)
    monkeypatch.setattr(sce, "MOST_STORED", 0)
    monkeypatch.setattr(sce, "in_memory", _refused)
    assert torch.equal(child, merged("sce", base, parents, select_topk=share))


def _refused(*_: Any) -> Magnitudes:
    """Fail: a large tensor's variances are not to be held."""
    raise MemoryError


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("digits", [1, 9])
def test_the_fence_is_that_of_sorted_values(size: int, digits: int) -> None:
    """Quartiles found as values stream by are those of a sort, with many equal values too."""
    values = _models(size, digits=digits)[1].abs().numpy()
    ordered = np.sort(values)
    low, median, high = (float(ordered[int(share * (size - 1))]) for share in (0.25, 0.5, 0.75))
    assert float(np.float32(median + 1.5 * (high - low))) == fence_of(in_memory(values))


@pytest.mark.parametrize(("parts", "length"), [(1, 5), (4, 8), (7, 3), (40, 1)])
def test_samples_are_the_starts_of_equal_parts(parts: int, length: int) -> None:
    """A sample's rows are ranges of the parent, or of parent - base, at even distances."""
    base, parent, _ = _models(41)
    sources, step = Sources(base.reshape(1, 41), [parent.reshape(1, 41)]), 41 // parts
    for read, sample in (
        (sources.parent, sources.parent_sample),
        (sources.task_vector, sources.task_vector_sample),
    ):
        expected = [read(0, i * step, i * step + length) for i in range(parts)]
        assert torch.equal(torch.stack(expected), sample(0, parts, length))


def test_a_sample_of_a_task_vector_needs_a_base() -> None:
    """Without a base there is no task vector, and the error says so."""
    with pytest.raises(TypeError, match="no base"):
        Sources(None, [torch.zeros(9)]).task_vector_sample(0, 3, 2)


def test_magnitudes_of_a_task_vector_sample_as_they_read() -> None:
    """What tells where a threshold lies is taken of the same magnitudes as the threshold."""
    base, parent, _ = _models(300_001)
    streamed = Sources(base, [parent]).magnitudes(0)
    loaded = in_memory((parent - base).abs().numpy())
    assert np.array_equal(loaded.sample(1024, 64), streamed.sample(1024, 64))
    assert cuts_of(loaded, [0.3, 0.9]) == cuts_of(streamed, [0.3, 0.9])
