"""Release memory: what was released before of the same people, so that a new table is proved together with
all of it."""
