"""Disclosure control: hide what is small, and what would give it away, and prove that it is enough."""
