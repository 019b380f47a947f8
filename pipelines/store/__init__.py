"""Events without identities, by person: the snapshot that every permit reads."""

from pipelines.store.prune import prune
from pipelines.store.stage import build

__all__ = ["build", "prune"]
