"""`uttag link-encode` and `link-encoded`: records made unreadable on one side, linked on another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import SettingsError
from pipelines.files import documents, people
from pipelines.files.yaml import load_yaml
from pipelines.linkage.agreement import EncodingSettings, label, new_key, read_key, require_same
from pipelines.linkage.encoding import encode
from pipelines.linkage.fields import Field
from pipelines.linkage.link_settings import InputTable, LinkSettings
from workflows import link as linkage

_LEVELS = ("equal", *(f"dice {bound / 100:g}" for bound in (97, 94, 91, 88, 86, 84, 82, 80, 78, 76, 73, 70)))


def encode_file(path: Path, key_file: Path, out: Path) -> str:
    """Encode the tables that the settings at `path` name, into one file and its label beside it.

    Raises SettingsError where they name none.
    """
    settings = load_yaml(path, EncodingSettings)
    if not settings.files:
        raise SettingsError(f"{path}: files", "names no table", "name the tables to encode")
    made = not key_file.exists()
    if made:
        new_key(key_file)
    key = read_key(key_file)
    files = [path.parent / file for file in settings.files]
    names = [field.column or field.name for field in settings.fields]
    columns = {
        name: [text for file in files for text in people.column_texts(file, name)]
        for name in dict.fromkeys(names)
    }
    ids = [text or "" for file in files for text in people.column_texts(file, settings.record_id)]
    found = encode(columns, ids, settings, key)
    blocks = [
        " ".join(f"{place}:{block}" for place, block in enumerate(row) if block >= 0)
        for row in found["block"].tolist()
    ]
    people.write(
        {"id": found["id"], "clk": [row.tobytes().hex() for row in found["clk"]], "block": blocks}, out
    )
    documents.write_json(
        {**label(settings, key), "unread": dict(zip(names, found["unread"].tolist(), strict=True))},
        label_path(out),
    )
    told = (
        f"made the key {key_file}: carry it to the other organisations by a way that the linking party "
        "cannot see\n"
        if made
        else ""
    )
    return f"{told}encoded {len(ids):,} records into {out}; its label is {label_path(out)}"


def label_path(path: Path) -> Path:
    """Where the label of a file of encodings lies."""
    return path.with_name(path.name + ".json")


def link(paths: Sequence[Path], out: Path, say: linkage.Say) -> dict[str, Any] | None:
    """Link encodings; refuses those of another key or other settings."""
    require_same(
        {str(path): documents.read_object(label_path(path), "settings", "key_check") for path in paths}
    )
    sources = [path.name.split(".")[0] for path in paths]
    names = [
        source if sources.count(source) == 1 else f"{source}_{place}"
        for place, source in enumerate(sources, 1)
    ]
    settings = LinkSettings(
        data=tuple(
            InputTable(source=name, file=str(path), id="id") for name, path in zip(names, paths, strict=True)
        ),
        link="within" if len(paths) == 1 else "between",
        fields={
            "clk": Field(column="clk", kind="encoded", levels=_LEVELS),
            "block": Field(
                column="block",
                kind="set",
                levels=("equal",),
                separator=" ",
                term_frequency=False,
                compare=False,
            ),
        },
        blocking=(("members(block)",),),
        training="dice",
        interactions=False,
        rounds=0,
    )
    return linkage.link(settings, list(paths), out, say)
