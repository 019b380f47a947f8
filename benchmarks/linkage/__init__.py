"""Record linkage beside Splink and goldenmatch: one process each, the same records, rules and comparisons,
equal pair count first."""
