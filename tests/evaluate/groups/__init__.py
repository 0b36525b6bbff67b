"""Tests of stages/evaluate/groups."""
