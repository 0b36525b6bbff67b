"""One merge, without a search: a file, a recipe, or the folder of a child."""
