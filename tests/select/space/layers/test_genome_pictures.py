"""The pictures of genomes in docs/search.md are what the encodings decode."""

import pytest

from stages.select.space.layers.encodings import ENCODINGS
from tools.genome_pictures import DOCS, GENOMES, encoding_named, picture, updated


def test_every_encoding_is_pictured_as_it_decodes() -> None:
    """Run `make docs` where this fails."""
    assert set(GENOMES) == set(ENCODINGS)
    page = DOCS.read_text(encoding="utf-8")
    assert updated(page) == page


@pytest.mark.parametrize("name", GENOMES)
def test_pictured_genomes_are_legal(name: str) -> None:
    """Each gene has a value within its bounds, and no other is given."""
    genome = GENOMES[name]
    genes = {gene.name: gene for gene in encoding_named(name, genome).genes()}
    assert genes.keys() == genome.values.keys()
    for gene_name, value in genome.values.items():
        gene = genes[gene_name]
        if gene.choices:
            assert value in gene.choices
        else:
            assert gene.low <= float(value) <= gene.high


def test_a_picture_shows_layers_again_and_gains() -> None:
    """A block that runs twice stands twice, each pass with half a gain."""
    lines = picture("blocks", GENOMES["blocks"]).splitlines()
    assert "genes model a block1.start 2 block1.length 2 block1.times 2" == " ".join(
        lines[0].split()
    )
    assert ["a", "a0", "a1", "a2", "a3", "a2", "a3", "a4", "a5"] == lines[3].split()
    assert ["MLP", "×1", "×1", "×0.5", "×0.5", "×0.5", "×0.5", "×1", "×1"] == lines[-1].split()  # noqa: RUF001


def test_a_page_without_its_block_is_refused() -> None:
    """Nothing is written anywhere else."""
    with pytest.raises(ValueError, match="needs one block"):
        updated("# Search\n")
