"""Tables of sums: who contributes how much to each cell, which cells give a contribution away, and what
protects these."""
