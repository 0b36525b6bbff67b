"""Tests of stages/store."""
