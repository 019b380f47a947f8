"""The stages, one package each, and what they share. Stages meet only through files whose columns stand in `schemas`."""
