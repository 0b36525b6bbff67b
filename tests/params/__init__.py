"""Tests of stages/params."""
