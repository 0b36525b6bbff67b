"""Tests of stages/merge/arithmetic."""
