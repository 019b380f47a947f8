"""What is wrong with settings, in our words and all of it: each fault with its place, never with the value
that stands there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError

Place: TypeAlias = tuple[Any, ...]  # keys and positions from the top of a file

_NAME: Final = re.compile(r"[\w .:/-]{1,60}")
_SEE: Final = "mend the setting"
_ANY: Final = "does not fit what is asked for here"


@dataclass(frozen=True)
class Fault:
    """`what` is wrong at `place`, and what next. `kind`: is it of another kind than is asked for (text for a
    number)?"""

    place: Place
    what: str
    next_step: str
    kind: bool = False


class ContradictionError(ValueError):
    """Raised by a model of which several things do not go together: `whats`, each in words."""

    def __init__(self, whats: Sequence[str]) -> None:
        super().__init__("; ".join(whats))
        self.whats = tuple(whats)


def faults(found: ValidationError, content: object, model: type[BaseModel]) -> list[Fault]:
    """Every fault once. `content`: what was read; `model`: as what. What fits none of several ways of writing
    is one fault: of the way that it comes nearest to, or of all of them."""
    raw = [
        (*_place(each["loc"], content, each["type"]), each)
        for each in found.errors(include_input=False, include_url=False)
    ]
    told = [(one, branched) for place, branched, each in raw for one in _told(place, each, model)]
    kept = [
        fault
        for fault, branched in told
        if not (branched and fault.kind and _others_come_nearer(fault, [each for each, _ in told]))
    ]
    places = dict.fromkeys(fault.place for fault in kept)
    return [one for place in places for one in _at_one(place, kept, content)]


def key(part: object) -> str:
    """A key, as far as it looks like one: a stranger's file may hold anything in its place."""
    return str(part) if _NAME.fullmatch(str(part)) else "a key that is none"


def _place(loc: Sequence[Any], content: object, kind: str) -> tuple[Place, bool]:
    """The place in the file; and did the validator try several ways of writing on the way there? Their names
    stand in `loc` and not in the file."""
    here, place, branched = content, [], False
    for at, part in enumerate(loc):
        inside = (isinstance(here, dict) and part in here) or (
            isinstance(here, (list, tuple)) and isinstance(part, int) and part < len(here)
        )
        if inside:
            here = here[part]  # type: ignore[index]
        elif not (at == len(loc) - 1 and kind == "missing"):
            branched = True
            continue
        place.append(part)
    return tuple(place), branched


def _others_come_nearer(fault: Fault, others: Collection[Fault]) -> bool:
    depth = len(fault.place)
    return any(
        other.place[:depth] == fault.place and (len(other.place) > depth or not other.kind)
        for other in others
    )


def _at_one(place: Place, kept: Sequence[Fault], content: object) -> list[Fault]:
    """The faults of a place. That it is of none of the kinds asked for is one; a single value comes no nearer
    to a list, or to names and values."""
    here = list(dict.fromkeys(fault for fault in kept if fault.place == place))
    kinds, others = ([fault for fault in here if fault.kind is kind] for kind in (True, False))
    if not isinstance(_at(content, place), (dict, list, tuple)):
        kinds = [fault for fault in kinds if fault.what not in _SHAPES] or kinds
    if kinds:
        others.insert(0, Fault(place, ", and ".join(fault.what for fault in kinds), kinds[0].next_step))
    return others


def _at(content: Any, place: Place) -> object:
    """What stands at a place; None where nothing does."""
    for part in place:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def _told(place: Place, error: Mapping[str, Any], model: type[BaseModel]) -> list[Fault]:
    several = error.get("ctx", {}).get("error")
    if isinstance(several, ContradictionError):
        return [Fault(place, what, _SEE) for what in several.whats]
    return [_fault(place, error, model)]


def _fault(place: Place, error: Mapping[str, Any], model: type[BaseModel]) -> Fault:
    kind, more = str(error["type"]), error.get("ctx", {})
    if kind == "extra_forbidden":
        return Fault(place, "is not known here", _nearest(key(place[-1]), model))
    if kind == "missing":
        return Fault(place, "is missing", "add it")
    if kind in ("value_error", "assertion_error"):
        said = str(more.get("error", "")) or _ANY
        return Fault(place, said, _SEE)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return Fault(place, words.format(more[name]), "give another number")
    if kind in _SIZES:
        name, words = _SIZES[kind]
        return Fault(place, words.format(more[name]), _SEE)
    if kind in ("literal_error", "enum"):
        return Fault(
            place, f"is not one of {_listed(str(more['expected']))}", "choose one of them", kind=True
        )
    for beginning, (what, next_step) in _KINDS.items():
        if kind.startswith(beginning):
            return Fault(place, what, next_step, kind=True)
    return Fault(place, _ANY, _SEE)


def _listed(expected: str) -> str:
    """'a', 'b' or 'c' without quotes."""
    return ", ".join(
        quoted or plain for quoted, plain in re.findall(r"'([^']*)'|([^\s,']+)", expected) if plain != "or"
    )


def _nearest(name: str, model: type[BaseModel]) -> str:
    near = difflib.get_close_matches(name, sorted(_names(model) - {name}), 1, 0.75)
    return f"write {near[0]}, or remove it" if near else "remove it; uttag schema says what may stand there"


def _names(model: type[BaseModel]) -> set[str]:
    """Every name that a file may hold somewhere."""
    schema = model.model_json_schema(by_alias=True)
    objects = [schema, *schema.get("$defs", {}).values()]
    return {name for each in objects for name in each.get("properties", {})}


_BOUNDS: Final = {
    "greater_than": ("gt", "is not above {}"),
    "greater_than_equal": ("ge", "is below {}"),
    "less_than": ("lt", "is not below {}"),
    "less_than_equal": ("le", "is above {}"),
    "multiple_of": ("multiple_of", "is no multiple of {}"),
}
_SIZES: Final = {
    "too_short": ("min_length", "holds fewer than {}"),
    "too_long": ("max_length", "holds more than {}"),
    "string_too_short": ("min_length", "is shorter than {} letters"),
    "string_too_long": ("max_length", "is longer than {} letters"),
}
# The beginning of the validator's name for a fault: what we say.
_KINDS: Final = {
    "invalid_key": ("is a name that is no text", "put it in quotes"),
    "int": ("is no whole number", "write a whole number"),
    "float": ("is no number", "write a number, with a point for decimals"),
    "decimal": ("is no number", "write a number, with a point for decimals"),
    "finite_number": ("is no finite number", "write a number"),
    "bool": ("is neither true nor false", "write true or false"),
    "string_pattern": ("is not written as it must be", "mend the text"),
    "string": ("is no text", "write a text, in quotes if it looks like a number, a day, or true"),
    "datetime": ("is no day with a time", "write it as 2026-01-31T12:00:00"),
    "date": ("is no day", "write it as 2026-01-31"),
    "path": ("is no path", "write a text"),
    "list": ("is no list", "write a list: [a, b]"),
    "tuple": ("is no list", "write a list: [a, b]"),
    "set": ("is no list", "write a list: [a, b]"),
    "frozen_set": ("is no list", "write a list: [a, b]"),
    "dict": ("does not hold names and values", "write names and values"),
    "mapping": ("does not hold names and values", "write names and values"),
    "model": ("does not hold names and values", "write names and values"),
    "none": ("must be empty", "remove it"),
}
_SHAPES: Final = tuple(_KINDS[kind][0] for kind in ("list", "dict"))  # what is no single value
