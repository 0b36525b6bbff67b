"""Tests of stages/merge/engine."""
