"""Models of a run, published."""
