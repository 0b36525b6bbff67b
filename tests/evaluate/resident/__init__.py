"""Tests of stages/evaluate/resident."""
