"""Tests of stages/evaluate/measures."""
