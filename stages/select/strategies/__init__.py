"""What proposes candidates: nevergrad's optimisers, our own populations, orders of objectives."""
