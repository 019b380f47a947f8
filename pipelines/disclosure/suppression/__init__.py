"""Secondary suppression: hide the small cells and those that would give them away, with a move as the proof
of each."""
