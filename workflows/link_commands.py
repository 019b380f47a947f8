"""The commands of the linkage engine: which records of any CSV or Parquet tables are one person?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from workflows.told import AsJson, plain, silent

commands = typer.Typer()

# What were modes of `uttag link` are commands: an old flag is refused with the new one in the message.
_MOVED = {
    "--suggest": "uttag link-suggest FILE... --id COLUMN",
    "--estimate": "uttag link-estimate REVIEW.csv",
    "--update": "uttag link-update DIR --add FILE:SOURCE",
    "--add": "uttag link-update DIR --add FILE:SOURCE",
    "--drop": "uttag link-update DIR --drop FILE",
    "--date": "uttag link-update DIR --date DAY",
    "--encode": "uttag link-encode SETTINGS.yaml --key KEYFILE --out FILE.parquet",
    "--key": "uttag link-encode SETTINGS.yaml --key KEYFILE --out FILE.parquet",
    "--encoded": "uttag link-encoded FILE... --out DIR",
    "--id": "uttag link-suggest FILE... --id COLUMN",
}

Out = Annotated[Path, typer.Option(help="the folder to write into")]
Tables = Annotated[list[Path], typer.Argument(help="CSV or Parquet files")]


@commands.command("link", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def link(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Argument(help="a YAML file: tables, fields, blocking rules")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the folder to write into")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what the blocking rules would cost, and compare nothing")
    ] = False,
    review: Annotated[
        int,
        typer.Option(
            min=0, help="write so many pairs near the threshold to OUT/review.csv for people to decide"
        ),
    ] = 0,
    decided: Annotated[
        Path | None, typer.Option(help="a review.csv that people filled: its decisions hold")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="keep an index in OUT, so that changes cost no full run")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Link the records of any tables, as the settings say.

    Example: uttag link link.yaml --out linked --review 200

    uttag link link.yaml --dry-run

    uttag link link.yaml --out linked --decided linked/review.csv

    uttag link link.yaml --out linked --keep
    """
    from workflows import link as steps

    path = _one_file(settings, context.args)
    if dry_run:
        print("\n".join(steps.dry_run(path)))
        return
    folder = _given(out)
    _tell(steps.run(path, folder, silent if as_json else plain, review, decided, keep), folder, as_json)


@commands.command("link-suggest")
def link_suggest(
    tables: Tables,
    id_column: Annotated[str | None, typer.Option("--id", help="the column that names the records")] = None,
) -> None:
    """Print settings for `uttag link`, made from the tables.

    Example: uttag link-suggest people.csv --id row > link.yaml
    """
    from pipelines.linkage.suggest import suggest

    print(suggest(tables, id_column).text, end="")


@commands.command("link-estimate")
def link_estimate(
    review: Annotated[Path, typer.Argument(help="a review.csv that people filled")],
) -> None:
    """How right are the links? Precision and recall, as people's decisions on a sample tell.

    Example: uttag link-estimate linked/review.csv
    """
    from workflows import link as steps

    print(json.dumps(steps.estimated(review), indent=2))


@commands.command("link-update")
def link_update(
    index: Annotated[Path, typer.Argument(help="a folder with an index, as uttag link --keep leaves it")],
    add: Annotated[
        list[str] | None, typer.Option(help="new and corrected records, as FILE:SOURCE; may be repeated")
    ] = None,
    drop: Annotated[
        list[Path] | None, typer.Option(help="a table of source and record_id to withdraw; may be repeated")
    ] = None,
    day: Annotated[
        str | None, typer.Option("--date", help="the day of the changes, today by default")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring new, corrected and withdrawn records into an index, at the cost of the change.

    Example: uttag link-update linked --add new.csv:people --drop gone.csv
    """
    from workflows import link as steps

    receipt = steps.update(index, add or [], drop or [], day, silent if as_json else plain)
    print(json.dumps(receipt, indent=2, sort_keys=True))


@commands.command("link-encode")
def link_encode(
    settings: Annotated[Path, typer.Argument(help="a YAML file: the tables and fields to encode")],
    key: Annotated[Path, typer.Option(help="the organisations' common key; made if it is not there")],
    out: Annotated[Path, typer.Option(help="the Parquet file to write")],
) -> None:
    """Encode records so that others can link them and cannot read them.

    Example: uttag link-encode encode.yaml --key common.key --out people.encoded.parquet
    """
    from workflows import encoded

    print(encoded.encode_file(settings, key, out))


@commands.command("link-encoded")
def link_encoded(tables: Tables, out: Out, as_json: AsJson = False) -> None:
    """Link encodings that organisations made with a common key.

    Example: uttag link-encoded a.encoded.parquet b.encoded.parquet --out linked
    """
    from workflows import encoded

    _tell(encoded.link(tables, out, silent if as_json else plain), out, as_json)


def _one_file(settings: Path | None, more: list[str]) -> Path:
    """The settings file. A flag that is a command of its own now is refused, and so is what is none."""
    from pipelines.errors import SettingsError

    for each in [str(settings or ""), *more]:
        name = each.partition("=")[0]
        if name in _MOVED:
            raise SettingsError(name, "is a command of its own now", _MOVED[name])
        if name.startswith("-"):
            raise SettingsError(name, "is no option of uttag link", "see uttag link --help")
    if settings is None or more:
        raise SettingsError("link", "takes one settings file", "see uttag link --help")
    return settings


def _given(out: Path | None) -> Path:
    from pipelines.errors import SettingsError

    if out is None:
        raise SettingsError("link", "does not say where to write", "add --out")
    return out


def _tell(model: dict[str, Any] | None, out: Path, as_json: bool) -> None:
    """What was found; nothing on the ranks that are not the first."""
    from workflows import link as steps

    if model is not None:
        print(json.dumps(model, indent=2, sort_keys=True) if as_json else steps.said(model, out))
