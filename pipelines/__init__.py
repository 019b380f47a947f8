"""Rooms, one for each stage, and the shelves that they share (files, cubes, study, compute, site). Rooms meet
only through files whose columns stand in `files.schemas`."""
