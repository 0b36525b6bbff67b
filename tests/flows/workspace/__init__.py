"""Tests of flows/workspace."""
