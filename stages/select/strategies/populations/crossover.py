"""Two genomes to one. A name (of a method, parent or setting) is taken whole from one of them."""

import numpy as np

from stages.select.space.space import Genome, Space


def uniform(random: np.random.Generator, first: Genome, second: Genome) -> Genome:
    """Return a genome whose every gene is that of either, with equal chances.

    Source: Syswerda 1989, "Uniform crossover in genetic algorithms", ICGA 3.
    """
    pairs = zip(random.random(len(first)), first, second, strict=True)
    return tuple(a if draw < 0.5 else b for draw, a, b in pairs)


def one_point(random: np.random.Generator, first: Genome, second: Genome) -> Genome:
    """Return the beginning of ``first`` and the rest of ``second``: a splice.

    Genes of one block of layers are neighbours, so one model's lower layers are kept together.
    Both give at least one gene, where there are two.
    """
    cut = int(random.integers(1, len(first))) if len(first) > 1 else 0
    return first[:cut] + second[cut:]


def mixed(space: Space, first: Genome, second: Genome, shares: list[float]) -> Genome:
    """Return for each gene the point between the two with its share of ``second``.

    A name is that of the genome with the larger share.
    """
    genes = zip(space.genes, first, second, shares, strict=True)
    return space.round(
        [
            (b if share > 0.5 else a) if gene.is_category else a + share * (b - a)
            for gene, a, b, share in genes
        ]
    )


def split_point(
    random: np.random.Generator, space: Space, first: Genome, second: Genome
) -> Genome:
    """Return a mix with one share below a random cut and the opposite share above it.

    Source: Abrantes et al. 2025, arXiv 2508.16204, section 3.1; interpolation is linear here, in
    genomes, and spherical there, in weights.
    """
    cut, share = int(random.integers(len(first) + 1)), float(random.random())
    return mixed(space, first, second, [share] * cut + [1 - share] * (len(first) - cut))
