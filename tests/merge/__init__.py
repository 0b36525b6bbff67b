"""Tests of the merge room."""
