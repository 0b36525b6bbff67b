"""Tests of the download room."""
