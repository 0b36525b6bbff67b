"""Tests of flows/merging."""
