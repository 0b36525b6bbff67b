"""Tests of flows/execution."""
