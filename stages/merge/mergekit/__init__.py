"""MergeKit's language: its documents read, and its rounding."""
