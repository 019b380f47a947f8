"""A whole small site, made up, run end to end."""
