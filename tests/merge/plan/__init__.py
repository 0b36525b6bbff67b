"""Tests of stages/merge/plan."""
