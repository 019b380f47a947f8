"""The release: the one gate that writes what others may read."""
