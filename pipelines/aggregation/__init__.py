"""Aggregation: integer cubes of persons, events, admissions and days at risk, every margin counted, merged by
sum over shards."""
