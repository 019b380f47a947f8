"""Who is who: from identity rows of all sources to one person for each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.linkage.settings import LinkageSettings as LinkageSettings
    from pipelines.linkage.stage import link as link

__all__ = ["LinkageSettings", "link"]


def __getattr__(name: str) -> Any:
    """The nightly stage, when it is asked for: the engine on any tables, beside it, needs nothing of it."""
    if name not in __all__:
        raise AttributeError(name)
    from pipelines.linkage.settings import LinkageSettings
    from pipelines.linkage.stage import link

    return {"LinkageSettings": LinkageSettings, "link": link}[name]
