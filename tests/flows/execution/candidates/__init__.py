"""Tests of flows/execution/candidates."""
