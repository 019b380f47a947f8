"""Who is who: from identity rows of all sources to one person for each record."""

from pipelines.linkage.link import link
from pipelines.linkage.settings import LinkageSettings

__all__ = ["LinkageSettings", "link"]
