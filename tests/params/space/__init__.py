"""Tests of stages/params/space."""
