"""Tests of flows/workspace/doctor."""
