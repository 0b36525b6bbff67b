"""Weights and a task suite in, one score per item out; the only importer of lm_eval."""
