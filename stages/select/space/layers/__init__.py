"""Encodings of paths through layers, one a file: genes, and what a genome's path is."""
