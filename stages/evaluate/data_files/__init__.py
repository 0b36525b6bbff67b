"""Tasks from a user's own file of questions."""
