"""The engines alone, on anybody's files: commands that need no site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from workflows.told import AsJson, plain, silent

commands = typer.Typer()

_KINDS = "site, contract, delivery, cluster, linkage, definition, permit, table, link, encoding or protect"
Definitions = Annotated[list[Path], typer.Argument(help="Circe JSON or YAML files, or folders of them")]


@commands.command("cohort")
def select_cohorts(
    definitions: Definitions,
    out: Annotated[Path | None, typer.Option(help="the folder to write into")] = None,
    cdm: Annotated[
        str | None,
        typer.Option(
            help="an OMOP CDM: a folder, a DuckDB file, or postgresql://USER@HOST/DB; #SCHEMA behind"
        ),
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(help="a site with made-up people, for its current snapshot")
    ] = None,
    engine: Annotated[str, typer.Option(help="numba, or duckdb: slower, for comparison")] = "numba",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="read the definitions, and run none")] = False,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="run the others when some cannot be run")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Who is in these cohorts, from which day to which? Writes OHDSI's result tables.

    Example: uttag cohort definitions/ --cdm cdm --out cohorts

    uttag cohort definitions/ --cdm postgresql://reader@db.example.org/omop#cdm --dry-run

    uttag cohort diabetes.yaml --snapshot demo-site --out cohorts
    """
    from workflows import cohort

    told = cohort.run(
        definitions,
        cdm,
        snapshot,
        out,
        engine,
        cohort.Ways(dry_run, skip_refused),
        silent if as_json else plain,
    )
    print(json.dumps(told, indent=2) if as_json else cohort.said(told, out, dry_run))


@commands.command()
def protect(
    specification: Annotated[Path, typer.Argument(help="a YAML file: the table, its dimensions, the policy")],
    out: Annotated[Path | None, typer.Option(help="the folder to write into")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say how many cells are small, and protect none")
    ] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="say what each method would lose, and write nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hide small cells of any table, and what would give them away, with a proof; or round or perturb, as its
    method says.

    Writes table.csv and table.parquet, proof.json, and for yourself report.html and the certificate. Protects
    persons counted in cells.

    Example: uttag protect table.yaml --out protected

    uttag protect table.yaml --suggest
    """
    from workflows import protect as steps

    if suggest:
        methods = steps.suggested(specification, silent if as_json else plain)
        print(json.dumps(methods, indent=2) if as_json else steps.said_of_methods(methods))
        return
    told = steps.run(specification, out, dry_run, silent if as_json else plain)
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
def schema(what: Annotated[str, typer.Argument(help=_KINDS)] = "definition") -> None:
    """Print the JSON Schema of one kind of YAML file, for editors that complete and check.

    Example: uttag schema > definition.schema.json

    uttag schema permit > permit.schema.json
    """
    from workflows import editor

    print(json.dumps(editor.schema(editor.kind_of(what)), indent=2))
