"""Rounding: to 0 or a base, to multiples that add up, to the nearest multiple, to the middle of a run; and
what an attacker makes of it."""
