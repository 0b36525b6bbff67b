"""Tests of stages/merge/methods."""
