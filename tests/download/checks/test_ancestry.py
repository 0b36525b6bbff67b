"""Parents that were not trained from the base: what is an error, and what is only said."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.errors import CheckpointError
from tests.download.conftest import params, run

OUT = Path("data/parents")


def change(folder: Path, by: Callable[[torch.Tensor], torch.Tensor], like: str = "base") -> None:
    """Write each matrix of a zoo model as ``by`` makes it of that of ``like``."""
    tensors = load_file(Path("data/zoo") / like / "model.safetensors")
    changed = {n: by(t).contiguous() if t.dim() > 1 else t for n, t in tensors.items()}
    save_file(changed, folder / "model.safetensors", {"format": "pt"})


def tuned(seed: int, size: float = 0.02) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what moves a matrix a little."""
    generator = torch.Generator().manual_seed(seed)
    return lambda t: t + size * torch.randn(t.shape, generator=generator)


@pytest.fixture
def family(project: Path) -> Path:
    """The zoo of a project: math and lang are fine-tunes of base, which were trained apart."""
    zoo = project / "data/zoo"
    for seed, name in enumerate(("math", "lang")):
        change(zoo / name, tuned(seed))
    return zoo


def three() -> tuple[str, ...]:
    """Return the notes of a run on base, math and lang."""
    return run(params(math="zoo:math", lang="zoo:lang"), OUT)


@pytest.mark.usefixtures("family")
def test_fine_tunes_pass_without_a_word() -> None:
    """Parents near the base are what is expected."""
    assert () == three()


def test_a_base_of_noise_is_refused(family: Path) -> None:
    """Parents that are kin, but not to the base, are of another base; each is named."""
    noise = torch.Generator().manual_seed(9)
    change(family / "base", lambda t: torch.randn(t.shape, generator=noise) * t.std())

    with pytest.raises(
        CheckpointError, match="one ancestor, which is therefore another"
    ) as caught:
        three()
    first, second = str(caught.value).splitlines()
    assert first.startswith("params.yaml: download.parents.math: zoo:math: has nothing in common")
    assert "of 16 matrices are not correlated" in first
    assert "download.parents.lang" in second
    assert not OUT.exists()


def test_a_parent_of_another_family_is_refused(family: Path) -> None:
    """A parent of noise next to a fine-tune is named, and the fine-tune is not."""
    noise = torch.Generator().manual_seed(9)
    change(family / "lang", lambda t: torch.randn(t.shape, generator=noise) * t.std())

    with pytest.raises(
        CheckpointError, match="math is a fine-tune of the base, so this"
    ) as caught:
        three()
    assert "download.parents.math:" not in str(caught.value)


@pytest.mark.usefixtures("project")
def test_models_that_are_all_strangers_are_said() -> None:
    """Where nothing contradicts it, parents unlike the base are merged, with a note on each."""
    notes = three()

    assert 2 == len(notes)
    assert all("has nothing in common with the base" in note for note in notes)


def test_a_parent_far_from_the_base_or_equal_to_it_is_said(family: Path) -> None:
    """A long task vector and one of zero are legal and odd."""
    change(family / "math", tuned(0, size=0.09))
    change(family / "lang", lambda t: t)

    far, equal = three()

    assert "download.parents.math: zoo:math: is far from the base" in far
    assert "download.parents.lang: zoo:lang: has the base's matrices" in equal


def test_a_fine_tune_of_few_layers_passes_without_a_word(family: Path) -> None:
    """Where most matrices are the base's, as behind an adapter, those that were trained count."""
    change(family / "math", lambda t: t)
    tensors = load_file(family / "math/model.safetensors")
    name = next(name for name in tensors if "down_proj" in name)
    tensors[name] = tuned(0)(tensors[name])
    save_file(tensors, family / "math/model.safetensors", {"format": "pt"})

    assert () == three()
