"""Tests of stages/download/sources."""
