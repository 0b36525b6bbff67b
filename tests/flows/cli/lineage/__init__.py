"""Tests of flows/cli/lineage."""
