"""What a source has agreed to deliver: an Open Data Contract Standard v3 file with our mapping in its custom
properties."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from open_data_contract_standard.model import (
    CustomProperty,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import Field, ValidationError

from pipelines.errors import SettingsError
from pipelines.files.digests import file_digest
from pipelines.files.yaml import Strict, load_yaml
from pipelines.intake.mapping import NAMING, Coded, Mapping
from pipelines.intake.omop import default_mapping
from pipelines.site.guards import Guards


class Agreement(Strict):
    """What holds for all of a source's tables."""

    owner: str
    no_reidentify: bool = False
    birth_dates: bool = False  # with no_reidentify: more of a birth than its year may be mapped
    quarantine_share: float = Field(0.2, ge=0, le=1)
    decimal: Literal[".", ","] = "."
    before_birth: bool = True  # turn away what happened before birth
    after_delivery: bool = True  # turn away what happened after the day of delivery
    guards: Guards = Guards()


class AgreedColumn(Strict):
    """A column as agreed. `format`: of a date that is text."""

    name: str
    type: Literal["string", "date", "number"]
    required: bool = False
    format: Literal["yyyy-MM-dd", "yyyyMMdd"] = "yyyy-MM-dd"
    lowest: float | None = None
    highest: float | None = None


class AgreedTable(Strict):
    """A table as agreed."""

    name: str
    columns: tuple[AgreedColumn, ...]
    mapping: Mapping

    def column(self, name: str) -> AgreedColumn:
        """The column of that name."""
        return next(each for each in self.columns if each.name == name)


class Contract(Strict):
    """A source's contract. `hash`: of the file's content."""

    path: Path
    hash: str
    adapter: Literal["csv", "parquet", "omop"]
    encoding: str
    delimiter: str
    agreement: Agreement
    tables: tuple[AgreedTable, ...]

    def __hash__(self) -> int:
        return hash((str(self.path), self.hash))

    def table(self, name: str) -> AgreedTable | None:
        """The table of that name."""
        return next((each for each in self.tables if each.name == name), None)

    @staticmethod
    def load(path: Path) -> Contract:
        """Read and check a contract. SettingsError: it does not read, or lacks what has to be said."""
        standard = load_yaml(path, OpenDataContractStandard)
        server = next(iter(standard.servers or []), None)
        if server is None or server.format not in ("csv", "parquet", "omop"):
            raise SettingsError(
                f"{path}: servers",
                "its first server has no format csv, parquet or omop",
                "say how the files come",
            )
        encoding, delimiter = server.encoding or "utf-8", server.delimiter or ","
        if not _is_encoding(encoding) or len(delimiter) != 1:
            raise SettingsError(
                f"{path}: servers", "its encoding or delimiter is not one", "say how the files come"
            )
        agreement = _ours(path, "contract", standard.customProperties, Agreement)
        if agreement is None:
            raise SettingsError(
                f"{path}: customProperties", "the property uttag is missing", "say who owns the data"
            )
        tables = tuple(_table(path, each, server.format == "omop") for each in standard.schema_ or [])
        if not tables:
            raise SettingsError(f"{path}: schema", "it names no table", "list the tables")
        contract = Contract(
            path=path,
            hash=file_digest(path),
            adapter=server.format,
            encoding=encoding,
            delimiter=delimiter,
            agreement=agreement,
            tables=tables,
        )
        _refuse_names(contract)
        return contract


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name) is not None
    except LookupError:
        return False


_Ours = TypeVar("_Ours", Agreement, Mapping)


def _ours(
    path: Path, where: str, properties: list[CustomProperty] | None, model: type[_Ours]
) -> _Ours | None:
    found = next((each.value for each in properties or [] if each.property == "uttag"), None)
    if found is None:
        return None
    try:
        return model.model_validate(found)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {where}: uttag.{place}", first["msg"], "mend the contract") from None


_TYPES = {"string": "string", "date": "date", "timestamp": "date", "number": "number", "integer": "number"}


def _table(path: Path, schema: SchemaObject, omop: bool) -> AgreedTable:

    name = schema.name or ""
    mapping = _ours(path, name, schema.customProperties, Mapping)
    if mapping is None and omop:
        mapping = default_mapping(
            name, {each.physicalName or each.name or "" for each in schema.properties or []}
        )
    if mapping is None:
        raise SettingsError(f"{path}: {name}", "the property uttag is missing", "say what the table holds")
    table = AgreedTable(
        name=name,
        columns=tuple(_column(path, name, each) for each in schema.properties or []),
        mapping=mapping,
    )
    known = {column.name for column in table.columns}
    for used in _used(mapping):
        if used not in known:
            raise SettingsError(
                f"{path}: {name}",
                f"its mapping uses the column {used}, which it does not list",
                "list the column",
            )
    return table


def _column(path: Path, table: str, schema: SchemaProperty) -> AgreedColumn:
    options: dict[str, Any] = schema.logicalTypeOptions or {}
    if schema.logicalType not in _TYPES:
        raise SettingsError(
            f"{path}: {table}.{schema.name}",
            "its logicalType is not one that intake reads",
            f"use {', '.join(_TYPES)}",
        )
    try:
        return AgreedColumn(
            name=schema.physicalName or schema.name or "",
            type=_TYPES[schema.logicalType],
            required=bool(schema.required),
            format=options.get("format", "yyyy-MM-dd"),
            lowest=options.get("minimum"),
            highest=options.get("maximum"),
        )
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        raise SettingsError(f"{path}: {table}.{schema.name}", first["msg"], "mend the contract") from None


def _used(mapping: Mapping) -> Iterator[str]:
    """Columns that a mapping names."""
    for part in (mapping.identities, *mapping.events):
        if part is None:
            continue
        for name in type(part).model_fields:
            value = getattr(part, name)
            if isinstance(value, Coded):
                yield value.column
            elif name == "where":
                yield from value
            elif (
                name in ("kind", "concept", "system", "setting", "duplicates")
                or isinstance(value, bool)
                or value is None
            ):
                continue
            elif isinstance(value, tuple):
                yield from value
            else:
                yield value


def _refuse_names(contract: Contract) -> None:
    """A source that forbids re-identification maps a token, a sex and a year of birth; a date of birth only
    where it says so, since with a sex that is nearly a name."""
    if not contract.agreement.no_reidentify:
        return
    for table in contract.tables:
        who = table.mapping.identities
        if who is None:
            continue
        where = f"{contract.path}: {table.name}"
        if who.token is None or any(getattr(who, name) for name in NAMING):
            what = "maps more than a token, sex and birth, though the source forbids re-identification"
            raise SettingsError(where, what, "map the token, and no number, name or postcode")
        whole = isinstance(who.birth, str) or len(who.birth or ()) > 1
        if whole and not contract.agreement.birth_dates:
            what = "maps dates of birth, which the source, that forbids re-identification, has not agreed to"
            then = "map the year alone, birth: [column], or agree on them: birth_dates: true for the contract"
            raise SettingsError(where, what, then)
