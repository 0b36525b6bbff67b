"""What a child is made of: the recipe, its JSON and its id."""
