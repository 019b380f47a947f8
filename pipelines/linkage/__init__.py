"""Who is who: from identity rows of all sources to one person for each record."""

from pipelines.linkage.settings import LinkageSettings
from pipelines.linkage.stage import link

__all__ = ["LinkageSettings", "link"]
