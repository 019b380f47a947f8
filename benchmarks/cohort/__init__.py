"""Cohort selection beside DuckDB, on made-up events."""
