"""The engines alone, on anybody's files: commands that need no site."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

commands = typer.Typer()


class Schemas(StrEnum):
    """What there is a JSON Schema of."""

    definition = "definition"
    permit = "permit"
    table = "table"
    protect = "protect"


AsJson = Annotated[bool, typer.Option("--json", help="for scripts")]
Definitions = Annotated[list[Path], typer.Argument(help="Circe JSON or YAML files, or folders of them")]


@commands.command("cohort")
def select_cohorts(
    definitions: Definitions,
    out: Annotated[Path | None, typer.Option(help="the folder to write into")] = None,
    cdm: Annotated[Path | None, typer.Option(help="a folder with the tables of an OMOP CDM, Parquet or CSV")] = None,
    snapshot: Annotated[Path | None, typer.Option(help="a site with made-up people, for its current snapshot")] = None,
    engine: Annotated[str, typer.Option(help="numba, or duckdb: slower, for comparison")] = "numba",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="read the definitions, and run none")] = False,
    skip_refused: Annotated[bool, typer.Option("--skip-refused", help="run the others when some cannot be run")] = False,
    as_json: AsJson = False,
) -> None:
    """Who is in these cohorts, from which day to which? Writes OHDSI's result tables.

    Example: uttag cohort definitions/ --cdm cdm --out cohorts

    uttag cohort diabetes.yaml --snapshot demo-site --out cohorts
    """
    from workflows import cohort

    told = cohort.run(definitions, cdm, snapshot, out, engine, cohort.Ways(dry_run, skip_refused), _silent if as_json else _plain)
    print(json.dumps(told, indent=2) if as_json else cohort.said(told, out, dry_run))


@commands.command()
def protect(
    specification: Annotated[Path, typer.Argument(help="a YAML file: the table, its dimensions, the policy")],
    out: Annotated[Path | None, typer.Option(help="the folder to write into")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say how many cells are small, and protect none")] = False,
    suggest: Annotated[bool, typer.Option("--suggest", help="say what each method would lose, and write nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Hide small cells of any table, and what would give them away, with a proof; or round or perturb, as its method says.

    Writes table.csv and table.parquet, proof.json, and for yourself report.html and the certificate. Protects persons counted in cells.

    Example: uttag protect table.yaml --out protected

    uttag protect table.yaml --suggest
    """
    from workflows import protect as steps

    if suggest:
        methods = steps.suggested(specification, _silent if as_json else _plain)
        print(json.dumps(methods, indent=2) if as_json else steps.said_of_methods(methods))
        return
    told = steps.run(specification, out, dry_run, _silent if as_json else _plain)
    print(json.dumps(told, indent=2) if as_json else steps.said(told, out))


@commands.command()
def explain(definitions: Definitions) -> None:
    """Print definitions, and the tables of permits, back as plain sentences.

    Example: uttag explain diabetes.json

    uttag explain permits/diabetes.yaml
    """
    from workflows import cohort

    print("\n".join(cohort.explained(definitions)))


@commands.command()
def schema(what: Annotated[Schemas, typer.Argument(help="of what")] = Schemas.definition) -> None:
    """Print the JSON Schema of definitions, permits, their tables or protections in YAML, for editors that complete and check.

    Example: uttag schema > definition.schema.json

    uttag schema permit > permit.schema.json
    """
    from pipelines.disclosure.specification import Specification
    from pipelines.site.permit import Permit, Table
    from pipelines.study.definition import Definition

    models: dict[Schemas, type[BaseModel]] = {
        Schemas.definition: Definition, Schemas.permit: Permit, Schemas.table: Table, Schemas.protect: Specification,
    }  # fmt: skip
    found = models[what].model_json_schema(by_alias=True)
    if what == Schemas.permit:  # where the file lies is not in it
        del found["properties"]["file"]
        found["required"].remove("file")
    print(json.dumps(found, indent=2))


def _plain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(_line: str) -> None:
    return None
