"""What a source has agreed to deliver: an Open Data Contract Standard v3 file with our mapping in its custom
properties."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from open_data_contract_standard.model import (
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import Field, ValidationError

from pipelines.errors import SettingsError
from pipelines.files.digests import file_digest
from pipelines.files.faults import Fault, Place, faults
from pipelines.files.yaml import Document, Strict, checked, raise_all, read_document
from pipelines.intake.mapping import NAMING, Coded, Mapping
from pipelines.intake.omop import default_mapping
from pipelines.site.guards import Guards

Adapter = Literal["csv", "parquet", "omop"]


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
    adapter: Adapter
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
        document = read_document(path)
        standard = checked(document, OpenDataContractStandard)
        wrong: list[SettingsError] = []
        tables: list[AgreedTable] = []
        with _gathered(wrong):
            adapter, encoding, delimiter = _served(document, standard)
        with _gathered(wrong):
            agreement = _agreed(document)
        omop = any(each.format == "omop" for each in (standard.servers or [])[:1])
        for number, each in enumerate(standard.schema_ or []):
            with _gathered(wrong):
                tables.append(_table(document, number, each, omop))
        if not standard.schema_:
            wrong.append(document.error(Fault(("schema",), "it names no table", "list the tables")))
        raise_all(wrong)
        contract = Contract(
            path=path,
            hash=file_digest(path),
            adapter=adapter,
            encoding=encoding,
            delimiter=delimiter,
            agreement=agreement,
            tables=tuple(tables),
        )
        _refuse_names(contract)
        return contract


def _served(document: Document, standard: OpenDataContractStandard) -> tuple[Adapter, str, str]:
    """How the files come: form, encoding, delimiter."""
    server, then = next(iter(standard.servers or []), None), "say how the files come"
    if server is None or server.format not in ("csv", "parquet", "omop"):
        what = "its first server has no format csv, parquet or omop"
        raise document.error(Fault(("servers",), what, then))
    encoding, delimiter = server.encoding or "utf-8", server.delimiter or ","
    if not _is_encoding(encoding) or len(delimiter) != 1:
        raise document.error(Fault(("servers",), "its encoding or delimiter is not one", then))
    return cast(Adapter, server.format), encoding, delimiter


def _agreed(document: Document) -> Agreement:
    found = _ours(document, (), Agreement)
    if found is None:
        what = "the property uttag is missing"
        raise document.error(Fault(("customProperties",), what, "say who owns the data"))
    return found


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name) is not None
    except LookupError:
        return False


@contextlib.contextmanager
def _gathered(wrong: list[SettingsError]) -> Iterator[None]:
    """Keep what is wrong for later, so that all of it can be told."""
    try:
        yield
    except SettingsError as fault:
        wrong += [each for each in fault.others or (fault,) if isinstance(each, SettingsError)]


_Ours = TypeVar("_Ours", Agreement, Mapping)


def _ours(document: Document, at: Place, model: type[_Ours]) -> _Ours | None:
    """Our own property of the contract, or of the table that stands at `at`; None where there is none."""
    here: Any = document.content
    for part in at:
        here = here[part]
    for number, each in enumerate(here.get("customProperties") or []):
        if each.get("property") == "uttag":
            value = each.get("value")
            try:
                return model.model_validate(value)
            except ValidationError as found:
                raise_all(document.errors(found, value, model, (*at, "customProperties", number, "value")))
    return None


_TYPES = {"string": "string", "date": "date", "timestamp": "date", "number": "number", "integer": "number"}


def _table(document: Document, number: int, schema: SchemaObject, omop: bool) -> AgreedTable:
    at: Place = ("schema", number)
    name, listed = schema.name or "", schema.properties or []
    wrong: list[SettingsError] = []
    columns: list[AgreedColumn] = []
    mapping: Mapping | None = None
    with _gathered(wrong):
        mapping = _ours(document, at, Mapping)
        if mapping is None and omop:
            mapping = default_mapping(name, {each.physicalName or each.name or "" for each in listed})
        if mapping is None:
            raise document.error(Fault(at, "the property uttag is missing", "say what the table holds"))
    for place, each in enumerate(listed):
        with _gathered(wrong):
            columns.append(_column(document, (*at, "properties", place), each))
    known = {each.physicalName or each.name or "" for each in listed}
    for used in dict.fromkeys(_used(mapping)) if mapping is not None else ():
        if used not in known:
            what = f"its mapping uses the column {used}, which it does not list"
            wrong.append(document.error(Fault(at, what, "list the column")))
    if wrong or mapping is None:
        raise_all(wrong)
    return AgreedTable(name=name, columns=tuple(columns), mapping=mapping)


def _column(document: Document, at: Place, schema: SchemaProperty) -> AgreedColumn:
    options: dict[str, Any] = schema.logicalTypeOptions or {}
    if schema.logicalType not in _TYPES:
        what, then = "its logicalType is not one that intake reads", f"use {', '.join(_TYPES)}"
        raise document.error(Fault(at, what, then))
    asked = {
        "name": schema.physicalName or schema.name or "",
        "type": _TYPES[schema.logicalType],
        "required": bool(schema.required),
        "format": options.get("format", "yyyy-MM-dd"),
        "lowest": options.get("minimum"),
        "highest": options.get("maximum"),
    }
    try:
        return AgreedColumn.model_validate(asked)
    except ValidationError as found:
        raise_all(
            [
                document.error(Fault(at, f"{each.place[0]} {each.what}", each.next_step))
                for each in faults(found, asked, AgreedColumn)
            ]
        )
        raise


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
