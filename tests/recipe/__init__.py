"""Tests of stages/recipe."""
