"""Evaluations by the thousand: a cache, an executor, workers."""
