"""What proposes candidates: nevergrad's optimisers, and orders of several objectives."""
