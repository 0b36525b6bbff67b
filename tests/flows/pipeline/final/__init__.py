"""Tests of the final choice on a small copy of the project."""
