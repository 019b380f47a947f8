"""Events without identities, by person: the snapshot that every permit reads."""

from pipelines.store.build import build
from pipelines.store.prune import prune

__all__ = ["build", "prune"]
