"""Tests of stages/download/checks."""
