"""Lineage and test results in; tables, a plot and one page out."""
