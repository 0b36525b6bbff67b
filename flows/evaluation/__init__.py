"""Scores of any model, without a search."""
