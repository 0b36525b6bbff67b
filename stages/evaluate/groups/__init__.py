"""lm-eval's groups and tags: the tasks that they stand for, and what a group scores."""
