"""Tests of stages/lineage/records."""
