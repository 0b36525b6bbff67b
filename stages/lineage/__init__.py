"""The record of a search: rows, evaluations, the selection, paired tests."""
