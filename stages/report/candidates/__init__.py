"""Candidates looked at closely: what each is made of, and what its genes and items tell."""
