"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("uttag", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("uttag")
