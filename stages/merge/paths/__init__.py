"""Paths through layers: what a layer adds to the stream, times a gain, in a plain checkpoint."""
