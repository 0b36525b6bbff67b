"""Bands of magnitude: exactly the entries between two ranks, the first of equal ones first."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stages.merge.arithmetic.magnitude_bands import band_of, density_of, keep_band
from stages.merge.arithmetic.thresholds import Cut, cut_of_sorted, cuts_of, in_memory, num_kept
from tests.merge.strategies import vectors


@given(tensors=vectors(1), data=st.data(), is_ordered=st.booleans(), step=st.integers(1, 40))
def test_band_agrees_with_its_plain_twin(
    tensors: list[Tensor], data: st.DataObject, is_ordered: bool, step: int
) -> None:
    """A band keeps what sorting by (magnitude, index) keeps, in ranges of any size."""
    vector = tensors[0]
    size = vector.numel()
    kept = data.draw(st.integers(1, size))
    skipped = data.draw(st.integers(0, size - kept))
    magnitudes = vector.abs().numpy()
    ordered = np.sort(magnitudes)

    def find(densities: Sequence[float]) -> list[Cut]:
        if is_ordered:
            return [cut_of_sorted(ordered, lambda: magnitudes, d) for d in densities]
        return cuts_of(in_memory(magnitudes), densities)

    band = band_of(find, size, skipped=skipped, kept=kept)
    order = sorted(range(size), key=lambda i: (-abs(vector[i]), i))[skipped : skipped + kept]
    expected = [float(v) if i in order else 0.0 for i, v in enumerate(vector)]
    parts = [keep_band(vector[i : i + step], band, i) for i in range(0, size, step)]
    assert expected == torch.cat(parts).tolist()


def test_band_of_more_entries_than_there_are_is_refused() -> None:
    """Two after two of three entries is an error, and so is a band of none."""

    def find(densities: Sequence[float]) -> list[Cut]:
        return cuts_of(in_memory(np.ones(3, dtype=np.float32)), densities)

    for skipped, kept in ((2, 2), (0, 0), (-1, 2)):
        with pytest.raises(ValueError, match="there are not so many entries"):
            band_of(find, 3, skipped=skipped, kept=kept)


@given(size=st.integers(1, 10**12), data=st.data())
def test_density_of_a_count_keeps_that_count(size: int, data: st.DataObject) -> None:
    """Whatever the rounding of count / size, num_kept gives the count back."""
    count = data.draw(st.integers(1, size))
    assert count == num_kept(size, density_of(count, size))
