"""Tests of flows/workspace/imports."""
