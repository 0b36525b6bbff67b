"""Rescaling by name: over the density, to the L1 norm, or not at all."""

from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor

from stages.errors import RecipeError
from stages.merge.arithmetic import rescale as module
from stages.merge.methods import METHODS
from tests.merge.strategies import densities, merged, vectors

RESCALING = [n for n, m in METHODS.items() if "rescale" in {p.name for p in m.spec.parameters}]
RANDOM = ("dare_linear", "dare_ties", "della", "della_linear")
# The first random words of the parent "a" keep these entries at density 0.5: test_golden.py.
KEPT = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
PARENT = torch.tensor([1.0, 2, 9, 4, 5, 6, 7, 8, 9, 10, 11, 12])


def _dare(rescale: str, **other: Any) -> Tensor:
    """Return the DARE child of one parent at density 0.5 over a base of zeros."""
    values: dict[str, Any] = {"weight": 1.0, "density": 0.5, "rescale": rescale, **other}
    return merged("dare_linear", torch.zeros(12), [PARENT], keys=["a"], **values)


def test_l1_restores_the_norm() -> None:
    """The entries 1, 2 and 4 are kept: 7 of 84, so each is times 12."""
    mask = torch.tensor(KEPT, dtype=torch.float32)
    assert torch.equal(PARENT * mask * 12, _dare("l1"))
    assert torch.equal(PARENT * mask, _dare("none"))
    assert torch.equal(PARENT * mask * 2, _dare("inverse_density"))


def test_the_paper_is_the_default() -> None:
    """Without the key a recipe is rescaled as the paper says, bit for bit; ties is not at all."""
    for name in RESCALING:
        default = "inverse_density" if name in RANDOM else "none"
        values: dict[str, Any] = {"weight": 1.0, "density": 0.5}
        plain = merged(name, torch.zeros(12), [PARENT], **values)
        assert torch.equal(
            plain, merged(name, torch.zeros(12), [PARENT], **values, rescale=default)
        )


def test_ties_restores_what_it_trimmed() -> None:
    """The two largest of 1, -2, 3, 4 hold 7 of 10: each is times 10 / 7."""
    parent = torch.tensor([1.0, -2.0, 3.0, 4.0])
    child = merged("ties", torch.zeros(4), [parent], weight=1.0, density=0.5, rescale="l1")
    assert torch.equal(torch.tensor([0.0, 0.0, 3.0, 4.0]) * (10 / 7), child)


def test_breadcrumbs_restores_what_it_dropped() -> None:
    """Without 4 and 1 the entries 3 and -2 hold 5 of 10: each is doubled."""
    parent = torch.tensor([1.0, -2.0, 3.0, 4.0])
    for name in ("breadcrumbs", "breadcrumbs_ties"):
        values: dict[str, Any] = {"weight": 1.0, "density": 0.5, "gamma": 0.25, "rescale": "l1"}
        assert [0.0, -4.0, 6.0, 0.0] == merged(name, torch.zeros(4), [parent], **values).tolist()


@given(tensors=vectors(2), density=densities)
def test_l1_agrees_with_its_plain_twin(tensors: list[Tensor], density: float) -> None:
    """The child's step has the task vector's L1 norm, and none keeps entries as they were."""
    base, parent = tensors
    values: dict[str, Any] = {"weight": 1.0, "density": density}
    zeros = torch.zeros_like(base)
    vector = parent - base
    kept = merged("della_linear", zeros, [vector], **values, rescale="none")
    assert ((kept == 0) | (kept == vector)).all()
    child = merged("della_linear", zeros, [vector], **values, rescale="l1")
    norm = sum(abs(entry) for entry in kept.tolist())
    factor = sum(abs(entry) for entry in vector.tolist()) / norm if norm else 1.0
    assert torch.allclose(kept * factor, child)


@pytest.mark.parametrize("name", RESCALING)
def test_chunks_change_no_bit_of_a_norm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Norms are found in blocks of their own: any division of the kernel's ranges is the same."""
    monkeypatch.setattr(module, "BLOCK", 100)
    generator = torch.Generator().manual_seed(0)
    base, *parents = (torch.randn(13, 31, generator=generator) for _ in range(3))
    values: dict[str, Any] = {"weight": (0.7, 0.4), "density": 0.5, "rescale": "l1"}
    whole = merged(name, base, parents, **values)
    for chunk in (7, 64, 200):
        assert torch.equal(whole, merged(name, base, parents, chunk=chunk, **values))


def test_nothing_is_divided_by_a_norm_of_nothing() -> None:
    """Norms below 1e-7, of the task vector or of what is kept of it, leave entries as they are."""
    tiny = torch.full((12,), 1e-9)
    child = merged("dare_linear", torch.zeros(12), [tiny], weight=1.0, density=0.5, rescale="l1")
    assert ((child == 0) | (child == tiny)).all()
    lost = torch.tensor([0.0, 0.0, 1.0])  # the third word drops the only entry
    values: dict[str, Any] = {"weight": 1.0, "density": 0.5, "rescale": "l1"}
    assert [0.0] * 3 == merged("dare_linear", 0 * lost, [lost], keys=["a"], **values).tolist()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("l2", "rescale is 'l2'. Legal is inverse_density or l1 or none; change it. Did you mean"),
        (1.0, "rescale is 1.0. Legal is inverse_density or l1 or none"),
        (("l1", "l1"), "rescale holds 2 names for 1 parents. Give one name"),
    ],
)
def test_other_names_are_refused(value: Any, said: str) -> None:
    """The error says which names are legal, and which of them is near."""
    with pytest.raises(RecipeError) as caught:
        merged("dare_linear", PARENT, [PARENT], weight=1.0, rescale=value)
    assert said in str(caught.value)


def test_a_number_is_not_a_name() -> None:
    """A name where a number belongs is refused, too."""
    with pytest.raises(RecipeError, match=r"density is 'l1'. Legal is a number in"):
        merged("dare_linear", PARENT, [PARENT], weight=1.0, density="l1")
