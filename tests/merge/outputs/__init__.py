"""Tests of stages/merge/outputs."""
