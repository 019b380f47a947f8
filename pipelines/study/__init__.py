"""What a study asks: who is in it, which tables it counts, by which codes."""
