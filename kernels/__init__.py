"""Compiled loops over arrays. A kernel knows no file, column name, clock, random source or log."""
