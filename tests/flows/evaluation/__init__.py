"""Tests of flows/evaluation."""
