"""Disclosure control: made-up registers of any size, the distance from the best pattern, and attacks on
generated tables."""
