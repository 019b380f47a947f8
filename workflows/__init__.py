"""What people and the night start: the command line, the two workflows and the demo."""
