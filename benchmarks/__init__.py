"""Speed beside a named peer: the same data in one run, equal output checked first, CPU seconds and peak
memory of whole processes."""
