"""Merge: a recipe and its parents in, a stream of tensors out."""
