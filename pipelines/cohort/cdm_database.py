"""A CDM in a database: a DuckDB file, or PostgreSQL by its URL. Nothing is ever written there.

PostgreSQL gives its rows in no stated order, so that the columns of a table are read by one query, and all
tables in one transaction that sees one state of the database. It is reached through ADBC: DuckDB's own
extension is loaded by the very version of DuckDB that it was built for, and comes with no package of the
version that is locked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from pipelines.cohort import duck
from pipelines.cohort.domains import DEMOGRAPHIC, OMOP
from pipelines.errors import DataError, SettingsError

_SYSTEM: Final = ("information_schema", "pg_catalog")
_CATALOGUE: Final = (
    "SELECT CAST(table_schema AS VARCHAR) AS schema, CAST(table_name AS VARCHAR) AS name, "
    "CAST(column_name AS VARCHAR) AS column_name, CAST(data_type AS VARCHAR) AS kind "
    "FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position"
)
_VOCABULARY: Final = {
    "concept": ("concept_id", "vocabulary_id", "concept_code", "invalid_reason"),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    "concept_relationship": ("concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"),
    "provider": ("provider_id", "specialty_concept_id"),
    "care_site": ("care_site_id", "place_of_service_concept_id"),
    "person": tuple(f"{part}_of_birth" for part in ("year", "month", "day")),
}


def is_url(place: str) -> bool:
    """Does it name a PostgreSQL database?"""
    return place.startswith(("postgresql:", "postgres:"))


HOLDS_PASSWORD: Final = (
    "holds a password",
    "leave it out: put it into ~/.pgpass, or into PGPASSWORD",
)


def holds_password(text: str) -> bool:
    """Does it say a password, as a URL's query or a connection string does?"""
    return re.search(r"(password|secret)\s*=", text, re.IGNORECASE) is not None


class _Catalogue:
    """Tables of some schemas, of each the one in the first of them; without any named, of all. `where`: what
    holds them."""

    def __init__(self, where: str, rows: Sequence[Mapping[str, Any]], schemas: Sequence[str]) -> None:
        self._where, self._schemas = where, schemas
        self._found: dict[str, dict[str, tuple[str, dict[str, str]]]] = {}
        known = {row["schema"] for row in rows}
        if unknown := [name for name in schemas if name not in known]:
            raise DataError(where, f"has no schema {unknown[0]} that this user may read", "name another one")
        for row in rows:
            if row["schema"] in (schemas or known - set(_SYSTEM)):
                name = f"{_quoted(row['schema'])}.{_quoted(row['name'])}"
                schema = self._found.setdefault(row["name"].lower(), {}).setdefault(row["schema"], (name, {}))
                schema[1][row["column_name"]] = row["kind"]
        if not self._found:
            raise DataError(where, "holds no table that this user may read", "look at its schemas")

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._found))

    def of(self, table: str) -> tuple[str, dict[str, str]]:
        """The table's name in SQL, and its columns with their types, in order."""
        found = self._found[table]
        if len(found) > 1 and not self._schemas:
            raise DataError(
                self._where,
                f"holds {table} in several schemas",
                "name the CDM's schema behind --cdm as #SCHEMA, and its vocabulary's: #CDM,VOCABULARY",
            )
        return found[min(found, key=self._schemas.index)] if self._schemas else next(iter(found.values()))


class DuckFile:
    """Tables of a DuckDB file."""

    def __init__(self, path: Path, schemas: Sequence[str]) -> None:
        self._path, self._schemas = path, schemas

    @cached_property
    def _connection(self) -> duck.Connection:
        return duck.opened(self._path)

    @cached_property
    def _catalogue(self) -> _Catalogue:
        rows = duck.table(self._connection, _CATALOGUE, self._path).to_pylist()
        return _Catalogue(str(self._path), rows, self._schemas)

    def names(self) -> tuple[str, ...]:
        """See `Tables`."""
        return self._catalogue.names()

    def columns(self, table: str) -> list[str]:
        """See `Tables`."""
        return list(self._catalogue.of(table)[1])

    def read(self, table: str, columns: Sequence[str]) -> pa.Table:
        """See `Tables`."""
        asked = ", ".join(_quoted(name) for name in columns)
        query = f"SELECT {asked} FROM {self._catalogue.of(table)[0]}"
        return duck.table(self._connection, query, self.place(table))

    def place(self, table: str) -> str:
        """See `Tables`."""
        return f"{self._path}: {table}"

    def row(self, table: str, number: int) -> str:
        """See `Tables`."""
        return f"row {number + 1:,}"


class Postgres:
    """Tables of a PostgreSQL database. SettingsError: the URL holds a password, which would stand in the
    list of processes and in logs, or no driver is installed."""

    def __init__(self, url: str, schemas: Sequence[str]) -> None:
        try:
            parts = urlsplit(url)
            secret = parts.password is not None or holds_password(unquote(parts.query))
            host, name = parts.hostname or "", parts.path.strip("/")
        except ValueError:
            raise SettingsError("--cdm", "is no URL", "write postgresql://user@host/database") from None
        if secret:
            raise SettingsError("--cdm", *HOLDS_PASSWORD)
        if "://" not in url:
            raise SettingsError("--cdm", "is no URL", "write postgresql://user@host/database")
        self._url, self._schemas = url, schemas
        self._where = f"postgresql {name}" + (f" at {host}" if host else "")
        self._read: dict[str, pa.Table] = {}

    @cached_property
    def _connection(self) -> Any:
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise SettingsError(
                "--cdm", "asks for PostgreSQL, whose driver is not here", "install uttag[postgresql]"
            ) from None
        try:
            connection = dbapi.connect(self._url)
        except dbapi.Error as fault:
            raise DataError(self._where, *_refusal(str(fault))) from None
        self._query(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", self._where)
        return connection

    def _query(self, connection: Any, sql: str, where: str) -> pa.Table:
        from adbc_driver_postgresql import dbapi

        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetch_arrow_table()
        except dbapi.Error as fault:
            may_not = getattr(fault, "sqlstate", "") == "42501"
            raise DataError(
                where,
                "may not be read by this user" if may_not else "does not read",
                "ask the database's keeper for SELECT" if may_not else "ask the database's keeper",
            ) from None

    @cached_property
    def _catalogue(self) -> _Catalogue:
        rows = self._query(self._connection, _CATALOGUE, self._where).to_pylist()
        return _Catalogue(self._where, rows, self._schemas)

    def names(self) -> tuple[str, ...]:
        """See `Tables`."""
        return self._catalogue.names()

    def columns(self, table: str) -> list[str]:
        """See `Tables`."""
        return list(self._catalogue.of(table)[1])

    def read(self, table: str, columns: Sequence[str]) -> pa.Table:
        """See `Tables`. Those that a definition can ask for, all at once."""
        if table not in self._read:
            name, kinds = self._catalogue.of(table)
            asked = [_plain(each, kind) for each, kind in kinds.items() if each.lower() in _asked(table)]
            query = f"SELECT {', '.join(asked) or 'NULL'} FROM {name}"
            self._read[table] = self._query(self._connection, query, self.place(table))
        return self._read[table].select(list(columns))

    def place(self, table: str) -> str:
        """See `Tables`."""
        return f"{self._where}: {table}"

    def row(self, table: str, number: int) -> str:
        """See `Tables`: rows of a database have no number."""
        return "a row"


def _asked(table: str) -> frozenset[str]:
    """Columns that some definition can ask for."""
    found = {*_VOCABULARY.get(table, ()), "person_id", "visit_occurrence_id"}
    for about in OMOP.values():
        if about.table == table:
            own = (about.id, about.concept, about.source, about.start, about.visit, about.provider)
            ends = [way if isinstance(way, str) else "days_supply" for way in about.end]
            found |= {*own, about.care_site, *ends}
        fields = [(about.table if each.via == "event" else each.via, each) for each in about.fields.values()]
        found |= {each.column for of, each in fields if of == table}
    if table == "person":
        found |= {each.column for each in DEMOGRAPHIC.values()}
    return frozenset(found)


def _plain(column: str, kind: str) -> str:
    """A column in a type that comes as numbers, days or texts; a number of another type as its text, which
    holds every digit."""
    name = _quoted(column)
    known = ("integer", "bigint", "smallint", "real", "double precision", "date", "text", "character varying")
    if kind in known or kind.startswith("timestamp"):
        return name
    return f"CAST({name} AS text) AS {name}"


def _refusal(said: str) -> tuple[str, str]:
    """What went wrong and what next, without the server's words."""
    for sign, what, next_step in _REFUSALS:
        if sign in said:
            return what, next_step
    return "cannot be reached", "look at host and port, and whether the server takes connections from here"


_REFUSALS: Final = (
    ("no password supplied", "asks for a password", "put it into ~/.pgpass, or into PGPASSWORD"),
    ("password authentication failed", "takes no such user and password", "look at ~/.pgpass or PGPASSWORD"),
    ("pg_hba.conf", "takes no such user from here", "ask the database's keeper"),
    ("does not exist", "has no such user or database", "look at the URL"),
    ("certificate", "shows a certificate that does not hold", "look at sslmode and sslrootcert"),
)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
