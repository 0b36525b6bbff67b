"""Whole runs: what is under way, and which of two is better."""
