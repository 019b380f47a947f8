"""Measures: what can be computed from protected cubes, and from nothing else."""
