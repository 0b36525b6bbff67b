"""How one candidate is merged and scored in a process, and what is its own fault."""
