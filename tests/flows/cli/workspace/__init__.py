"""Tests of flows/cli/workspace."""
