"""A made-up region that delivers like a real one, with the truth kept apart."""
