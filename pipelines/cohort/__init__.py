"""Cohort: who is in, from which day to which, and how many left at each step."""
