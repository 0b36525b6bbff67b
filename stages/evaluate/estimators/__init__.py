"""A task's full score from a few of its items: one file per estimator."""
