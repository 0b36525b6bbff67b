"""Tests of stages/lineage."""
