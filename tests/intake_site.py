"""A site of one source and one small delivery, made in a few lines, for the tests of intake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipelines.compute.workers import LocalWorkers
from pipelines.files import sealed
from pipelines.files.frames import Frame, concat
from pipelines.files.schemas import ACCEPTED_EVENTS, IDENTITIES, QUARANTINE
from pipelines.intake import intake
from pipelines.intake.unread import refuse
from pipelines.site.site import Site, create_keys

KEYS = {"identity": b"i" * 32, "store": b"s" * 32}

PATIENTS = {
    "name": "patients",
    "properties": [
        {"name": "id", "logicalType": "string", "required": True},
        {"name": "number", "logicalType": "string"},
        {"name": "name", "logicalType": "string"},
        {"name": "sex", "logicalType": "string"},
        {"name": "born", "logicalType": "date"},
    ],
    "customProperties": [
        {
            "property": "uttag",
            "value": {
                "identities": {
                    "reference": "id",
                    "number": "number",
                    "surname": "name",
                    "birth": "born",
                    "sex": {"column": "sex", "values": {"M": "man", "F": "woman"}},
                }
            },
        }
    ],
}
LABS = {
    "name": "labs",
    "properties": [
        {"name": "id", "logicalType": "string", "required": True},
        {"name": "day", "logicalType": "date", "required": True},
        {"name": "what", "logicalType": "string", "required": True},
        {"name": "value", "logicalType": "number", "required": True},
        {"name": "unit", "logicalType": "string"},
    ],
    "customProperties": [
        {
            "property": "uttag",
            "value": {
                "events": [
                    {
                        "kind": "measurement",
                        "reference": "id",
                        "start": "day",
                        "code": "what",
                        "system": "LAB",
                        "value": "value",
                        "unit": "unit",
                    },
                ]
            },
        }
    ],
}
DIAGNOSES = {
    "name": "diagnoses",
    "properties": [
        {"name": "id", "logicalType": "string", "required": True},
        {"name": "day", "logicalType": "date", "required": True},
        {"name": "end", "logicalType": "date"},
        {"name": "code", "logicalType": "string", "required": True},
    ],
    "customProperties": [
        {
            "property": "uttag",
            "value": {
                "events": [
                    {
                        "kind": "diagnosis",
                        "reference": "id",
                        "start": "day",
                        "end": "end",
                        "code": "code",
                        "system": "ICD-10-SE",
                    },
                ]
            },
        }
    ],
}
PEOPLE = "id,number,name,sex,born\n1,19640823-3234,Öberg,M,1964-08-23\n2,,Ek,F,1990-01-01\n"


def contract(*tables: dict[str, Any], server: dict[str, Any] | None = None, **ours: Any) -> dict[str, Any]:
    """A contract of those tables."""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "made",
        "name": "made",
        "version": "1.0.0",
        "status": "active",
        "servers": [
            {
                "server": "delivery",
                "type": "custom",
                "format": "csv",
                "encoding": "UTF-8",
                "delimiter": ",",
                **(server or {}),
            }
        ],
        "customProperties": [
            {"property": "uttag", "value": {"owner": "The maker", "quarantine_share": 1.0, **ours}}
        ],
        "schema": list(tables),
    }


def site(root: Path, agreed: dict[str, Any], files: dict[str, bytes | str], delivery: str = "d1") -> Site:
    """A site whose source `clinic` has delivered `files` (name, of which the part before a dot or dash is the
    table; content)."""
    (root / "contracts").mkdir(parents=True, exist_ok=True)
    (root / "contracts" / "clinic.yaml").write_text(
        yaml.safe_dump(agreed, allow_unicode=True), encoding="utf-8"
    )
    (root / "site.yaml").write_text(
        "site: made\nsources:\n  clinic: {contract: contracts/clinic.yaml}\n", encoding="utf-8"
    )
    create_keys(root, KEYS)
    folder = root / "deliveries" / "clinic" / delivery
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[str]] = {}
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        tables.setdefault(name.split(".")[0].split("-")[0], []).append(name)
    said = {"source": "clinic", "delivery": delivery, "delivered": "2025-09-01", "tables": tables}
    (folder / "delivery.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    return Site.load(root)


def deliver(
    root: Path, name: str, files: dict[str, bytes | str], delivered: str, replaces: str | None = None
) -> Path:
    """Another delivery of `clinic`, its announcement last; its folder."""
    folder = root / "deliveries" / "clinic" / name
    folder.mkdir(parents=True)
    tables: dict[str, list[str]] = {}
    for file, content in files.items():
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
        tables.setdefault(file.split(".")[0].split("-")[0], []).append(file)
    said: dict[str, Any] = {"source": "clinic", "delivery": name, "delivered": delivered, "tables": tables}
    if replaces is not None:
        said["replaces"] = replaces
    (folder / "delivery.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    return folder


def receipt(made: Site, threads: int = 1) -> dict[str, Any]:
    """Take in the site's first delivery, as far as it can be read."""
    for each in made.arrivals():
        if each.fault is not None:
            return refuse(made, each, "The maker", str(each.fault))
    return intake(made, made.deliveries()[0], LocalWorkers(threads))


def identities(made: Site, of: dict[str, Any]) -> Frame:
    """The identities that a receipt names."""
    parts = [
        sealed.read(made.root / each["file"], IDENTITIES, made.zone("identity")) for each in of["identities"]
    ]
    return concat(parts, IDENTITIES)


def events(made: Site, of: dict[str, Any]) -> Frame:
    """The events that a receipt names."""
    parts = [
        sealed.read(made.root / each["file"], ACCEPTED_EVENTS, made.zone("store")) for each in of["events"]
    ]
    return concat(parts, ACCEPTED_EVENTS)


def quarantine(made: Site) -> list[tuple[int, str | None, str | None]]:
    """Row, reason and column of what was turned away."""
    path = made.identity / "quarantine" / "clinic" / "d1.parquet"
    if not path.exists():
        return []
    frame = sealed.read(path, QUARANTINE, made.zone("identity"))
    return sorted(
        zip(frame["row"].tolist(), frame["reason"].decoded(), frame["column"].decoded(), strict=True), key=str
    )  # type: ignore[union-attr]
