"""Tests of what is said of single candidates."""
