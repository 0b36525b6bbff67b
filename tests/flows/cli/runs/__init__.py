"""Tests of flows/cli/runs."""
