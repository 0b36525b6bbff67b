"""Tests of stages/checkpoint."""
