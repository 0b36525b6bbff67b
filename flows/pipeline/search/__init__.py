"""How the evolve flow steps through a search: generations, races, and one candidate at a time."""
