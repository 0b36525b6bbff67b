"""Benchmarks: two things measured in one run, and their ratio."""
