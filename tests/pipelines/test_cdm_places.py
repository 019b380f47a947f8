"""A CDM as sites have it: whatever holds its tables, the answers are those of the tables themselves."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines.cohort import alone
from pipelines.cohort.cdm import Cdm
from pipelines.cohort.cdm_database import _asked
from pipelines.cohort.uses import uses
from pipelines.errors import DataError, SettingsError, UttagError
from tests import sites
from tests.made_circe import Definitions, made_tables

Tables: TypeAlias = dict[str, pa.Table]
VOCABULARY = ("concept", "concept_ancestor", "concept_relationship")


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Without empty texts, which a CSV file cannot tell from nothing."""
    return {name: _emptied(table) for name, table in made_tables(Random(7)).items()}


def _emptied(table: pa.Table) -> pa.Table:
    columns = {
        name: pc.if_else(pc.equal(table[name], ""), pa.scalar(None, pa.string()), table[name])
        if pa.types.is_string(table[name].type)
        else table[name]
        for name in table.column_names
    }
    return pa.table(columns)


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, drawn = tmp_path_factory.mktemp("definitions"), Definitions(Random(8))
    for number in range(1, 13):
        (folder / f"{number}.json").write_text(json.dumps(drawn.next()))
    return folder


def answer(definitions: Path, cdm: Cdm, out: Path, by: str) -> dict[str, bytes]:
    def raised(fault: UttagError) -> None:
        raise fault

    asked, _ = alone.asked([definitions], cdm)
    assert len(asked) > 8
    alone.run(asked, cdm, out, by, lambda _line: None, raised)
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.parquet"))}


@pytest.fixture(scope="module")
def wanted(tables: Tables, definitions: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    found = answer(definitions, Cdm(None, tables), tmp_path_factory.mktemp("wanted"), "numba")
    assert pq.read_table(pa.BufferReader(found["cohort.parquet"])).num_rows > 10
    return found


def _lines(table: pa.Table, mark: str, null: str) -> str:
    rows = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
    quoted = lambda value: f'"{value}"' if isinstance(value, str) else str(value)  # noqa: E731
    cells = [mark.join(null if value is None else quoted(value) for value in row) for row in rows]
    return "\n".join([mark.join(table.column_names), *cells, ""])


def comma(tables: Tables, folder: Path) -> Path:
    for name, table in tables.items():
        pa_csv.write_csv(table, folder / f"{name}.csv")
    return folder


def semicolon_and_na(tables: Tables, folder: Path) -> Path:
    for name, table in tables.items():
        (folder / f"{name.upper()}.csv").write_text(_lines(table, ";", "NA"))
    return folder


def tab_and_backslash_n(tables: Tables, folder: Path) -> Path:
    for name, table in tables.items():
        (folder / f"{name}.tsv").write_text(_lines(table, "\t", "\\N"))
    return folder


def folders_of_spark(tables: Tables, folder: Path) -> Path:
    for name, table in tables.items():
        inside = folder / (name if len(name) % 2 else f"{name}.parquet")
        inside.mkdir()
        (inside / "_SUCCESS").touch()
        (inside / ".part-0.crc").write_bytes(b"crc")
        for part in range(3):
            rows = table.slice(part * 30, 30 if part < 2 else None)
            pq.write_table(rows, inside / f"part-{part:05}-c000.snappy.parquet")
    return folder


def folders_of_csv(tables: Tables, folder: Path) -> Path:
    for name, table in tables.items():
        inside = folder / name
        inside.mkdir()
        (inside / "part-00000.csv").touch()
        for part in range(1, 3):
            pa_csv.write_csv(
                table.slice((part - 1) * 40, 40 if part < 2 else None), inside / f"part-{part:05}.csv"
            )
    return folder


def partitions_of_hive(tables: Tables, folder: Path) -> Path:
    for name, table in tables.items():
        key = next((each for each in table.column_names if each.endswith("_concept_id")), None)
        ds.write_dataset(
            table,
            folder / name,
            format="parquet",
            partitioning=[key] if key else None,
            partitioning_flavor="hive" if key else None,
        )
    return folder


def parquet_of_texts(tables: Tables, folder: Path) -> Path:
    for name, table in tables.items():
        texts = {each: table[each].cast(pa.string()) for each in table.column_names}
        pq.write_table(pa.table(texts), folder / f"{name}.parquet")
    return folder


def duckdb_file(tables: Tables, folder: Path) -> Path:
    with duckdb.connect(str(folder / "omop.duckdb")) as connection:
        for schema in ("cdm", "results", "vocabulary"):
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute("CREATE TABLE results.person (person_id INTEGER)")
        for name, table in tables.items():
            connection.register("given", table)
            schema = "vocabulary" if name in VOCABULARY else "cdm"
            connection.execute(f"CREATE TABLE {schema}.{name.upper()} AS SELECT * FROM given")
    return folder / "omop.duckdb#cdm,vocabulary"


FORMS: dict[str, Callable[[Tables, Path], Path]] = {
    form.__name__: form
    for form in (
        comma,
        semicolon_and_na,
        tab_and_backslash_n,
        folders_of_spark,
        folders_of_csv,
        partitions_of_hive,
        parquet_of_texts,
        duckdb_file,
    )
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_the_answers_are_those_of_the_tables_in_memory(
    form: str, tables: Tables, definitions: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "cdm").mkdir()
    place = FORMS[form](tables, tmp_path / "cdm")
    for by in ("numba", "duckdb"):
        assert answer(definitions, Cdm(place), tmp_path / by, by) == wanted, by


# --- PostgreSQL ---


class Server:
    """A PostgreSQL of its own, on a socket and a port, which asks for a password."""

    def __init__(self, folder: Path, programs: Path, port: int) -> None:
        self.folder, self._programs, self.port = folder, programs, port
        self.password = "gu75-hemlig"
        user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._user = user.pw_uid if os.getuid() == 0 else None
        os.chown(folder, user.pw_uid, user.pw_gid)
        (folder / "password").write_text(self.password)
        os.chown(folder / "password", user.pw_uid, user.pw_gid)
        self._called(
            "initdb", "-A", "scram-sha-256", "--pwfile", folder / "password", "-U", "keeper", "--no-sync"
        )
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -F"
        self._called("pg_ctl", "-o", options, "-l", folder / "log", "-w", "start")

    def _called(self, program: str, *arguments: object) -> None:
        command = [self._programs / program, "-D", self.folder / "data", *map(str, arguments)]
        subprocess.run(command, check=True, user=self._user, cwd="/", stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        self._called("pg_ctl", "-m", "immediate", "stop")

    @property
    def url(self) -> str:
        return f"postgresql://keeper@127.0.0.1:{self.port}/postgres"


@pytest.fixture(scope="module")
def server(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="the driver of PostgreSQL is not here")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs or (os.getuid() == 0 and "postgres" not in {each.pw_name for each in pwd.getpwall()}):
        pytest.skip("PostgreSQL (apt-get install postgresql) is not here")
    folder = Path("/tmp") / f"uttag-postgres-{os.getpid()}"
    folder.mkdir(mode=0o711)
    try:
        running = Server(folder, programs[-1].parent, 20_000 + os.getpid() % 20_000)
        os.environ["PGPASSWORD"] = running.password
        with dbapi.connect(running.url, autocommit=True) as connection, connection.cursor() as cursor:
            for schema in ("cdm", "vocabulary", "results"):
                cursor.execute(f"CREATE SCHEMA {schema}")
            cursor.execute("CREATE TABLE results.person (person_id integer)")
            for name, table in tables.items():
                where = "vocabulary" if name in VOCABULARY else "cdm"
                cursor.adbc_ingest(name, table, mode="create", db_schema_name=where)
            for column in ("value_as_number", "range_low", "range_high"):
                cursor.execute(f"ALTER TABLE cdm.measurement ALTER {column} TYPE numeric")
            cursor.execute("ALTER TABLE vocabulary.concept ALTER invalid_reason TYPE char(3)")
        yield running
        running.stop()
    finally:
        os.environ.pop("PGPASSWORD", None)
        shutil.rmtree(folder)


@pytest.fixture
def password(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", server.password)


@pytest.mark.usefixtures("password")
def test_a_postgresql_database_gives_the_same_answers(
    server: Server, definitions: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    for by in ("numba", "duckdb"):
        place = f"{server.url}#cdm,vocabulary"
        assert answer(definitions, Cdm(place), tmp_path / by, by) == wanted, by


def test_a_password_is_taken_from_pgpass_and_told_nowhere(
    server: Server, definitions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    place = f"{server.url}#cdm,vocabulary"
    run = ("cohort", definitions / "1.json", "--cdm", place, "--out", tmp_path / "out")
    ran = sites.called(*run, check=False)
    assert ran.returncode == 14 and "asks for a password" in ran.stderr
    pgpass = tmp_path / "pgpass"
    pgpass.write_text(f"127.0.0.1:{server.port}:*:keeper:{server.password}\n")
    pgpass.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(pgpass))
    ran = sites.called(*run, check=False)
    assert ran.returncode == 0, ran.stderr
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert server.password.encode() not in written + (ran.stdout + ran.stderr).encode()


@pytest.mark.usefixtures("password")
def test_what_a_database_lacks_is_told_in_our_words(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="holds person in several schemas; name the CDM's schema"):
        Cdm(server.url).columns("person")
    with pytest.raises(DataError, match="has no schema omop"):
        Cdm(f"{server.url}#omop").tables()
    with pytest.raises(DataError, match="has no such user or database"):
        Cdm(f"{server.url[:-8]}nothing").tables()
    with pytest.raises(DataError, match="cannot be reached"):
        Cdm("postgresql://keeper@127.0.0.1:1/postgres").tables()
    monkeypatch.setenv("PGPASSWORD", "another")
    with pytest.raises(DataError, match="takes no such user and password") as told:
        Cdm(server.url).tables()
    assert "another" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://keeper:s3cret@db/omop",
        "postgres://db/omop?user=keeper&password=s3cret",
        "postgresql://db/omop?sslpassword=s3cret",
        "postgresql:///omop?password=s3cret#cdm",
        "postgresql:///omop?pass%77ord=s3cret",
        "host=db dbname=omop password=s3cret",
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="holds a password; leave it out") as told:
        Cdm(url)
    assert "s3cret" not in str(told.value)


def test_what_is_no_url_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="is no URL") as told:
        Cdm("postgresql:keeper:s3cret@db/omop")
    assert "s3cret" not in str(told.value)


def test_a_database_is_asked_for_every_column_that_an_answer_may_hang_on(
    tables: Tables, definitions: Path
) -> None:
    asked, _ = alone.asked([definitions], Cdm(None, tables))
    for each in asked:
        assert [use for use in uses(each.cohort) if use.column not in _asked(use.table)] == []


# --- what does not read ---


def _persons(folder: Path, **files: str) -> Cdm:
    for name, content in files.items():
        path = folder / "person" / name.replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return Cdm(folder)


@pytest.mark.parametrize(
    ("day", "read"),
    [
        ("2015-02-30", "row 3"),
        ("20151301", "row 3"),
        ("soon", "row 3"),
        ("NA", None),
        ("\\N", None),
        ("NULL", None),
        ("", None),
        ("20150228", None),
        ("2015-02-28 13:45:00", None),
    ],
)
def test_the_row_of_a_day_that_is_none_is_told_and_not_what_stands_there(
    day: str, read: str | None, tmp_path: Path
) -> None:
    rows = "".join(f"{number},2015-01-0{number}\n" for number in (1, 2))
    (tmp_path / "death.csv").write_text(f"person_id,death_date\n{rows}3,{day}\n4,{day}\n")
    if read is None:
        assert len(Cdm(tmp_path).numbers("death", "death_date", "day")) == 4
        return
    with pytest.raises(DataError, match=f"death_date: holds something that is no day in {read}") as told:
        Cdm(tmp_path).numbers("death", "death_date", "day")
    assert day not in str(told.value)


def test_the_part_is_told_in_which_a_row_does_not_read(tmp_path: Path) -> None:
    cdm = _persons(tmp_path, a__csv="person_id\n1\n2\n", b__csv="person_id\n3\nfour\n")
    with pytest.raises(DataError, match=r"no whole number in row 2 of b\.csv"):
        cdm.numbers("person", "person_id")


def test_parts_with_other_columns_are_refused(tmp_path: Path) -> None:
    cdm = _persons(tmp_path, a__csv="person_id\n1\n", b__csv="person\n3\n")
    with pytest.raises(DataError, match=r"b\.csv: has other columns than a\.csv"):
        cdm.columns("person")


def test_a_delta_table_is_refused_since_not_every_file_of_it_counts(tmp_path: Path) -> None:
    cdm = _persons(tmp_path, a__csv="person_id\n1\n")
    (tmp_path / "person" / "_delta_log").mkdir()
    with pytest.raises(DataError, match="is a Delta or Iceberg table"):
        cdm.columns("person")


def test_a_text_in_quotes_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "concept.csv").write_text('concept_code,x\n"NA",1\nNA,2\n"",3\n')
    assert Cdm(tmp_path).arrow("concept")["concept_code"].to_pylist() == ["NA", None, None]


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "omop.duckdb").write_text("no database\n" * 500)
    with pytest.raises(DataError, match="does not open as a DuckDB file"):
        Cdm(tmp_path / "omop.duckdb").tables()
    with pytest.raises(DataError, match="is no folder, and no file of a database"):
        Cdm(tmp_path / "omop").tables()


def test_a_database_file_is_not_written_to_and_reaches_nothing_else(tmp_path: Path, tables: Tables) -> None:
    place = duckdb_file(tables, tmp_path)
    before = (tmp_path / "omop.duckdb").read_bytes()
    Cdm(place).numbers("person", "person_id")
    assert (tmp_path / "omop.duckdb").read_bytes() == before
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with duckdb.connect(str(tmp_path / "omop.duckdb")) as connection:
        connection.execute(f"CREATE VIEW cdm.leak AS SELECT * FROM read_csv('{tmp_path}/secret.csv')")
    reached: Any = None
    with pytest.raises(DataError, match="does not read"):
        reached = Cdm(place).arrow("leak")
    assert reached is None
