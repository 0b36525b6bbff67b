"""The search space: genes, blocks, genomes to recipes and back."""
