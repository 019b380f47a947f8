"""How much of it: `make test` does a part of what is generated, `make test-long` all of it."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("UTTAG_TESTS") == "long"
PART = 6  # in how many parts a generated test is cut, of which `make test` does one

# `make test`: a part of the examples, and the same in every run, so that a change is to blame for what fails.
# `make test-long`: all of them, and others in every run; what fails is kept in .hypothesis and tried first in
# the next run. A machine that is busy with other tests generates slowly: that is no fault of a test.
settings.register_profile(
    "short",
    deadline=None,  # the first call of a kernel compiles it
    derandomize=True,
    max_examples=100 // PART,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("long" if LONG else "short")


def share_of(number: int, least: int = 3) -> int:
    """`number` in `make test-long`; in `make test` a sixth of it, but `least` at the least."""
    return number if LONG else min(number, max(least, -(-number // PART)))
