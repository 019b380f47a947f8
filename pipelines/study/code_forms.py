"""Can a line of a code list match anything at all? By the form of its system's codes, and by list where the
list is here."""

from __future__ import annotations

import difflib
from functools import lru_cache
from itertools import product

from pipelines.study import codes
from pipelines.study.code_list import BELOW

_LONGEST = 7  # characters that the longest code has behind a prefix of one letter
_WORDS = ("VISIT", "VITAL")  # systems whose pattern is a list of words


def fault(line: str) -> str | None:
    """What is wrong with a line, SYSTEM/CODE or its beginning, in words; None where a code may match it."""
    system, _, code = line.removesuffix(BELOW).partition("/")
    if system not in codes.SYSTEMS:
        near = difflib.get_close_matches(
            system.upper(), {name.upper(): name for name in codes.SYSTEMS}, 1, 0.6
        )
        names = [name for name in codes.SYSTEMS if near and name.upper() == near[0]]
        meant = f"; perhaps {names[0]} is meant" if names else ""
        return f"{line} is of no code system that is known{meant}"
    if code and not _may_begin(system, code):
        return f"{line} is not of the form that codes of {system} have"
    return None


@lru_cache(maxsize=1 << 12)
def _may_begin(system: str, code: str) -> bool:
    """Does a code of the system begin with this, or is it this where codes are whole?"""
    known = codes.SYSTEMS[system]
    if known.whole:
        return known.holds(code)
    if (listed := _listed(system)) is not None:
        return any(each.startswith(code) for each in listed)
    ends = (
        "".join(end) for size in range(_LONGEST + 1) for end in product("0A", repeat=size)
    )  # a digit or a letter: no pattern asks for more
    return any(codes.known(system, code + end) for end in ends)


def _listed(system: str) -> tuple[str, ...] | None:
    """Every code, where that is known."""
    if system == "LAB":
        return tuple(codes.laboratory())
    if system == "SCB":
        return (codes.COUNTY, *codes.municipality_names())
    return tuple(codes.SYSTEMS[system].pattern.split("|")) if system in _WORDS else None
