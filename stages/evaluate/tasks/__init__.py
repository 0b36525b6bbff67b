"""Tasks as the suite knows them: items, splits, keys."""
