"""JSON read with its place kept: every complaint names the file, the path within it, the reason and what to
do next."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn

from pipelines.errors import SettingsError

LARGEST = 32 << 20  # bytes; the largest published definitions have a few millions
DEEPEST = 40  # levels of groups within criteria within groups
MOST_DAYS = 10_000_000
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Node:
    """A value somewhere in a file. `path`: as in PrimaryCriteria.CriteriaList[0]; "" for the whole."""

    where: str
    path: str
    value: Any

    def refuse(self, what: str, next_step: str) -> NoReturn:
        """SettingsError: this value cannot be taken."""
        raise SettingsError(f"{self.where}: {self.path}" if self.path else self.where, what, next_step)

    def at(self, key: str, value: Any) -> Node:
        """A value within this one."""
        return Node(self.where, f"{self.path}.{key}" if self.path else key, value)

    def members(self, known: Iterable[str], descriptive: Iterable[str] = ()) -> dict[str, Node]:
        """Members of an object that are not null, by name; any not `known` is refused, unless it describes
        only."""
        if not isinstance(self.value, dict):
            self.refuse(f"is {_kind(self.value)}", "give an object, {…}")
        known, skipped = set(known), set(descriptive)
        for key in self.value:
            if key not in known and key not in skipped:
                self.at(key, None).refuse("is not known here", "remove it, or write it as circe-be 1.11 does")
        return {
            key: self.at(key, value)
            for key, value in self.value.items()
            if key in known and value is not None
        }

    def elements(self) -> Iterator[Node]:
        """Elements of a list, in order."""
        if not isinstance(self.value, list):
            self.refuse(f"is {_kind(self.value)}", "give a list, […]")
        for place, value in enumerate(self.value):
            yield Node(self.where, f"{self.path}[{place}]", value)

    def boolean(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.refuse(f"is {_kind(self.value)}", "give true or false")
        return self.value

    def whole(self, low: int = -(2**31), high: int = 2**31 - 1) -> int:
        """A whole number; older exports write some as text."""
        number = self.number()
        if number != int(number):
            self.refuse("has decimals", "give a whole number")
        if not low <= number <= high:
            self.refuse(f"is not between {low} and {high}", "give another number")
        return int(number)

    def days(self, low: int = -MOST_DAYS) -> int:
        """A number of days."""
        return self.whole(low, MOST_DAYS)

    def number(self) -> int | float:
        """A number; older exports write some as text."""
        value = self.value
        if isinstance(value, str):
            try:
                value = json.loads(value, parse_constant=lambda name: name)
            except ValueError:
                self.refuse("is text", "give a number")
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"is {_kind(value)}", "give a number")
        if abs(value) > 1e30:
            self.refuse("is too large", "give another number")
        return value

    def text(self) -> str:
        """A text."""
        if not isinstance(self.value, str):
            self.refuse(f"is {_kind(self.value)}", "give a text")
        if "\0" in self.value:
            self.refuse("holds a null character", "remove it")
        return self.value

    def day(self) -> int:
        """A date, YYYY-MM-DD: days since 1970-01-01."""
        try:
            year, month, day = (int(part) for part in self.text().split("-"))
            return date(year, month, day).toordinal() - _EPOCH
        except ValueError:
            return self.refuse("is no date", "write it YYYY-MM-DD")

    def one_of(self, names: Iterable[str]) -> str:
        """One of some words."""
        names = list(names)
        if self.text() not in names:
            self.refuse("is not known here", f"give one of {', '.join(names)}")
        return str(self.value)


def read(content: bytes | str, where: str) -> Node:
    """A JSON document. SettingsError: too large, no text, not JSON, nested too deeply, or with a member given
    twice."""
    if len(content) > LARGEST:
        raise SettingsError(
            where,
            f"is too large for a cohort definition ({len(content) >> 20} MB)",
            "name the definition's own file",
        )
    try:
        text = decoded(content, where)[0] if isinstance(content, bytes) else content.removeprefix("\ufeff")
        return Node(where, "", json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant))
    except json.JSONDecodeError as error:
        raise SettingsError(
            where, f"is not JSON: line {error.lineno}, column {error.colno}", "export the definition again"
        ) from None
    except RecursionError:
        raise SettingsError(where, "is nested too deeply", "simplify the definition") from None
    except ValueError as error:
        raise SettingsError(where, str(error), "correct the definition") from None


def decoded(content: bytes, where: str) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and what is to be told of it: UTF-8, or UTF-16 by its mark, else the letters of
    Western Europe (Windows-1252, which holds Latin-1); without null characters that fill up its end.
    SettingsError: it is no text."""
    filled = content.rstrip(b"\0")
    try:
        if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return content.decode("utf-16").rstrip("\0"), ()
        return filled.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        pass
    if b"\0" in filled or content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise SettingsError(where, "is not text in UTF-8", "export the definition again as JSON")
    try:
        return filled.decode("cp1252"), ("is not UTF-8: read as Windows-1252",)
    except UnicodeDecodeError:
        return filled.decode("latin-1"), ("is not UTF-8: read as Latin-1",)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"holds {twice[:60]} twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which is no number")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    for kinds, name in ((bool, "true or false"), (int | float, "a number"), (str, "text"), (list, "a list")):
        if isinstance(value, kinds):
            return name
    return "an object"
