"""The cell-key method: a cell changes by what its records settle, so the same people give the same number in
every table."""
