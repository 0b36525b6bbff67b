"""Races within a generation, and the test that ends the hopeless."""
