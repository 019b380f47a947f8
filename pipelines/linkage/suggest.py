"""`uttag link-suggest`: a settings file made from the data: which columns are names, dates, codes; how to
compare them, and which pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.errors import DataError
from pipelines.files import people
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.recognise import Column, recognise

_CLOSE: Final = ("equal", "damerau_levenshtein 1 3", "damerau_levenshtein 2 6 | jaro_winkler 0.9 4")
_LEVELS: Final[dict[str, tuple[str, ...]]] = {
    "name": (*_CLOSE, "word | prefix 3"),
    "text": (*_CLOSE, "word | prefix 3"),
    "code": (*_CLOSE, "word | stem"),
    "email": (*_CLOSE, "word | stem"),
    "category": _CLOSE,
    "date": ("equal", "day_month_swapped", "slip", "year_part", "month_day", "year"),
}
_KIND: Final = {"category": "code", "email": "code"}
_MEANT: Final = {
    "name": "names",
    "text": "words",
    "code": "codes or numbers",
    "email": "addresses of mail",
    "category": "few different values",
    "date": "dates",
}
_LARGE: Final = 200_000  # records, above which a few rules stand in place of all combinations of keys


@dataclass(frozen=True)
class Suggestion:
    """A settings file and why it says what it says."""

    text: str

    def settings(self) -> LinkSettings:
        """The suggestion as settings."""
        import yaml

        return LinkSettings(**yaml.safe_load(self.text))


def suggest(paths: Sequence[Path], id_column: str | None) -> Suggestion:
    """Settings for these tables. DataError where nothing in them can be compared."""
    names = _common(paths)
    if id_column is not None and any(id_column not in people.columns(path) for path in paths):
        raise DataError(paths[0], f"has no column {id_column}", f"name one of {', '.join(names[:12])}")
    columns, skipped, found_id = recognise(
        paths, [name for name in names if name != id_column], id_column is None
    )
    id_column = id_column or found_id
    compared = {name: column for name, column in columns.items() if not column.composite}
    if not compared:
        raise DataError(
            paths[0], "has no column that could be compared", "name a table with names, dates or codes"
        )
    fields = {_field_name(name): column for name, column in compared.items()}
    small = sum(people.length(path) for path in paths) <= _LARGE
    lines = [
        "# Suggested by `uttag link-suggest`; every line may be changed. See docs/linkage-tables.md.",
        "data:",
        *(_table(path, id_column, paths) for path in paths),
    ]
    if len(paths) > 1:
        lines.append(
            "link: both        # records of different tables, and of one; between: of different tables alone"
        )
    lines += ["fields:", *(line for name, column in fields.items() for line in _field(name, column, fields))]
    lines += [f"# {name}: {why}" for name, why in skipped.items()]
    lines += _blocking(fields, small)
    lines += [
        "threshold: 0.0    # bits: the odds at which two records are taken for one person; 4.25 is 95 %",
        f"training: {'clusters' if small else 'em'}   # em: from all pairs; clusters: from beliefs, which "
        "the clusters correct",
        f"rounds: {3 if small else 0}         # how often the model learns from the clusters that it made",
        "interactions: true",
    ]
    return Suggestion("\n".join(lines) + "\n")


def _common(paths: Sequence[Path]) -> list[str]:
    """Columns that all tables have."""
    every = [people.columns(path) for path in paths]
    return [name for name in every[0] if all(name in each for each in every)]


def _table(path: Path, id_column: str | None, paths: Sequence[Path]) -> str:
    source = re.sub(r"\W+", "_", path.stem)
    if [re.sub(r"\W+", "_", each.stem) for each in paths].count(source) > 1:
        source = f"{source}_{paths.index(path) + 1}"
    which = f", id: {_quoted(id_column)}" if id_column else ""
    return f"  - {{source: {_quoted(source)}, file: {_quoted(str(path))}{which}}}"


def _field_name(column: str) -> str:
    name = re.sub(r"\W+", "_", column).strip("_") or "field"
    return name if not name[0].isdigit() else f"f_{name}"


def _field(name: str, column: Column, fields: Mapping[str, Column]) -> list[str]:
    shared = [other for other, each in fields.items() if each.name in column.shared_with]
    levels = list(_LEVELS[column.kind])
    if shared:
        levels.insert(3, "elsewhere")
    kind = _KIND.get(column.kind, column.kind)
    words = ", ".join(_quoted(level) for level in levels)
    lines = [
        f"  {name}:          # {_MEANT[column.kind]}: {column.distinct:,} different values, "
        f"{column.missing:.0%} missing"
    ]
    lines += [f"    column: {_quoted(column.name)}", f"    kind: {kind}", f"    levels: [{words}]"]
    if shared:
        lines.append(f"    shared_with: [{', '.join(shared)}]")
    if column.kind == "date":
        lines.append("    term_frequency: true")
    return lines


def keys(fields: Mapping[str, Column]) -> list[str]:
    """Keys to combine: words of names, each value, parts of dates, what codes begin with, words of texts."""
    names = [name for name, column in fields.items() if column.kind == "name"]
    found = []
    if names:
        bag = ", ".join(names)
        found += [f"words({bag})", f"word_sounds({bag})", f"word_starts({bag})"]
    for name, column in fields.items():
        found.append(name)
        if column.kind == "date":
            found += [f"year_month({name})", f"year_day({name})", f"month_day({name})", f"year({name})"]
        elif column.kind in ("code", "text", "email"):
            found.append(f"stem({name})")
        if column.kind == "text":
            found.append(f"words({name})")
    return found


def _blocking(fields: Mapping[str, Column], small: bool) -> list[str]:
    wanted = keys(fields)
    if small:
        return [
            "# Two records are compared if they share one of these keys, or two, in a block that is small "
            "enough.",
            "combine:",
            *(f"  - {_quoted(key)}" for key in wanted),
            "pairs_a_record: 200",
        ]
    return ["blocking:", *(f"  - [{', '.join(_quoted(key) for key in rule)}]" for rule in _rules(fields))]


def _rules(fields: Mapping[str, Column]) -> list[list[str]]:
    """A few rules for large tables: rare values alone, and pairs of what is neither rare nor common."""
    of = {kind: [name for name, column in fields.items() if column.kind == kind] for kind in _LEVELS}
    rare = [name for name, column in fields.items() if column.rare()]
    rules = [[name] for name in rare]
    names = of["name"]
    dates = of["date"]
    others = [name for name in (*of["code"], *of["text"], *of["email"]) if name not in rare]
    if len(names) > 1:
        rules += [[f"sounds({names[0]}, {names[1]})", *([f"year({dates[0]})"] if dates else [names[0]])]]
    for date in dates:
        rules += [[name, date] for name in names[:2]]
        rules += [[other, date] for other in others[:3]]
        rules += (
            [[f"prefix({names[-1]}, 3)", f"prefix({names[0]}, 2)", f"year({date})"]] if len(names) > 1 else []
        )
    rules += [[f"sound({name})", other] for name in names[:2] for other in others[:3]]
    if not rules:
        every = list(fields)
        rules = [[a, b] for place, a in enumerate(every) for b in every[place + 1 :]] or [[every[0]]]
    return rules[:16]


def _quoted(text: str | None) -> str:
    text = str(text)
    return (
        text
        if re.fullmatch(r"[A-Za-z_][\w./-]*", text)
        and text not in ("null", "true", "false", "yes", "no", "on", "off")
        else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
