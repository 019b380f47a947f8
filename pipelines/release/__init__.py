"""Release: the one gate. It verifies again, bundles, signs and publishes; nothing else writes to `release/`."""
