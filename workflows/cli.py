"""The command line: one small function for each command, and one place where errors become words and exit
codes."""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import shutil
import stat
import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from pipelines.errors import UttagError
from pipelines.files.atomic import denied
from pipelines.files.version import kernels_hash
from workflows import alone, cluster_commands, codes, delivery_commands, keys, link_commands, told
from workflows.told import AsJson, plain, silent

app = typer.Typer(
    name="uttag",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A signed permit in, disclosure-controlled tables out.",
)

app.add_typer(alone.commands)
app.add_typer(link_commands.commands)
app.add_typer(delivery_commands.commands)
app.add_typer(codes.commands)
app.add_typer(cluster_commands.commands)
app.add_typer(keys.commands, name="key")

SitePath = Annotated[Path, typer.Argument(help="the site's folder")]
On = Annotated[str, typer.Option(help="local, or slurm")]
Ranks = Annotated[int, typer.Option(help="MPI ranks; 0 for as many as there are cores (local) or 4 (Slurm)")]
WorkerCount = Annotated[int, typer.Option("--workers", help="Dask workers; 0 for the default of the place")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would run, and run nothing")]


def main() -> None:
    """Entry point: exit 0 if all is well, 10 and on for what a person can mend, 1 for a fault in the
    program."""
    told.umask_before = os.umask(0o077)
    os.environ["NUMBA_CACHE_DIR"] = _compiled()
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        if code == 130:  # typer makes this of an interruption by itself, and says nothing
            raise KeyboardInterrupt
    except UttagError as error:
        code = _told("\n".join(f"uttag: {each}" for each in (error, *error.others[1:])), error.exit_code)
    except TyperException as error:
        code = _told(f"uttag: {error.format_message().rstrip('.')}; see uttag --help", 10)
    except (typer.Abort, KeyboardInterrupt):
        code = _told("uttag: interrupted; run the same command again to go on", 130)
    except Exception as fault:
        if isinstance(fault, OSError) and (refused := denied(fault)):
            sys.exit(_told(f"uttag: {refused}", refused.exit_code))
        place = traceback.extract_tb(fault.__traceback__)[-1]
        code = _told(
            f"uttag: fault in the program: {type(fault).__name__} at "
            f"{Path(place.filename).name}:{place.lineno}",
            1,
        )
        if os.environ.get("UTTAG_DEBUG"):
            raise
    if "_duckdb" not in sys.modules:  # whose library complains of what is not collected
        gc.freeze()  # at the end nothing needs collecting, which would take a tenth of a second
    sys.exit(code if isinstance(code, int) else 0)


def _compiled() -> str:
    """Where compiled loops are kept: off shared disks, in no folder of another user, who could plant code in
    it that we would run, and apart for each state of the kernels."""
    version = kernels_hash()
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or f"{tempfile.gettempdir()}/uttag-numba-{os.getuid()}")
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            of_version = folder if folder.name == version else folder / version
            of_version.mkdir(mode=0o700, exist_ok=True)
            return str(of_version)
    own = tempfile.mkdtemp(prefix="uttag-numba-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own


def _told(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _options(on: str, ranks: int, workers: int, dry_run: bool = False) -> Any:
    from pipelines.errors import SettingsError
    from workflows.driver import Options

    if on not in ("local", "slurm"):
        raise SettingsError("--on", "is neither local nor slurm", "choose one of them")
    return Options(on=on, ranks=ranks, workers=workers, dry_run=dry_run)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        from pipelines.files.version import code_hash

        print(f"uttag {metadata.version('uttag')} ({code_hash()[:12]})")
        raise typer.Exit


@app.callback()
def uttag(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    """A signed permit in, disclosure-controlled tables out."""


@app.command()
def demo(
    people: Annotated[
        int, typer.Option(min=100, help="how many people live in the made-up region")
    ] = 100_000,
    out: Annotated[Path, typer.Option(help="the folder of the made-up site")] = Path("demo-site"),
    on: On = "local",
    seed: Annotated[int, typer.Option(help="another seed makes other people")] = 1,
    ranks: Ranks = 0,
    workers: WorkerCount = 0,
    nights: Annotated[int, typer.Option(min=1, max=2, help="2 adds a late delivery and a correction")] = 2,
) -> None:
    """Make up a region and take it the whole way, to a report.

    Example: uttag demo --people 100000 --out demo-site
    """
    from workflows.demo.run import run_demo

    report = run_demo(out, people, seed, nights, _options(on, ranks, workers))
    print(f"report: {report}")


@app.command()
def refresh(
    site: SitePath,
    on: On = "local",
    ranks: Ranks = 0,
    workers: WorkerCount = 0,
    dry_run: DryRun = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="print the command of plain Snakemake, and run nothing")
    ] = False,
) -> None:
    """Bring the snapshot up to date with the deliveries. Run it again to go on after an interruption.

    Example: uttag refresh demo-site --on slurm
    """
    from pipelines.site.site import Site
    from workflows import run

    run.refresh(Site.load(site), replace(_options(on, ranks, workers, dry_run), prepare=prepare))


@app.command("run")
def run_permit(
    permit: Annotated[Path, typer.Argument(help="the permit's file in a site, permits/NAME.yaml")],
    on: On = "local",
    ranks: Ranks = 0,
    workers: WorkerCount = 0,
    dry_run: DryRun = False,
    now: Annotated[
        bool, typer.Option("--now", help="a new version of a standing permit before its calendar says so")
    ] = False,
) -> None:
    """Run a permit on the current snapshot, as far as a released bundle.

    Example: uttag run demo-site/permits/diabetes.yaml
    """
    from workflows import run

    run.release(_site_of(permit), permit.stem, _options(on, ranks, workers, dry_run), now)


@app.command()
def feasibility(
    permit: Annotated[
        Path, typer.Argument(help="the permit's file in a site, permits/NAME.yaml; it need not be signed")
    ],
    requester: Annotated[str | None, typer.Option(help="for whom you ask; you yourself by default")] = None,
    as_json: AsJson = False,
) -> None:
    """About how many would be in a permit's cohort? Counts alone, rounded and with noise, a few questions a
    day.

    Example: uttag feasibility demo-site/permits/diabetes.yaml
    """
    from workflows import feasibility as feasible

    answer = feasible.ask(_site_of(permit), permit.stem, requester, silent if as_json else plain)
    print(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else feasible.said(answer))


@app.command()
def night(site: SitePath, on: On = "local", ranks: Ranks = 0, workers: WorkerCount = 0) -> None:
    """Refresh a site, then rerun its standing permits. A night with nothing new runs no job.

    Example: uttag night demo-site --on slurm
    """
    from pipelines.site.site import Site
    from workflows.night import run_night

    run_night(Site.load(site), _options(on, ranks, workers))


@app.command()
def schedule(
    site: SitePath,
    at: Annotated[str, typer.Option(help="when, as HH:MM")] = "02:30",
    on: On = "local",
    install: Annotated[bool, typer.Option("--install", help="put the line into this user's crontab")] = False,
) -> None:
    """Print the cron line that runs every night, and install it.

    Example: uttag schedule demo-site --at 02:30 --on slurm --install
    """
    from pipelines.site.site import Site
    from workflows.night import cron_line, install_line

    line = cron_line(Site.load(site), at, _options(on, 0, 0).on)
    print(line)
    if install:
        install_line(line)


@app.command()
def status(
    site: SitePath,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="show it anew while a run goes on")] = False,
) -> None:
    """What the site holds, what waits, what is released or held, how the last night went, what runs now.

    Example: uttag status demo-site --watch
    """
    from pipelines.site.site import Site
    from workflows import status_told

    status_told.show(Site.load(site), as_json, watch)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="a site's folder, a contract, or a permit in a site")],
) -> None:
    """Read a site, contract or permit and say whether it holds together, without running anything.

    Example: uttag check demo-site
    """
    from workflows.check import check_path

    for line in check_path(path):
        print(line)


@app.command()
def init(
    site: SitePath,
    example: Annotated[
        str | None, typer.Option(help="start from an example's settings: gibleed, mimic")
    ] = None,
) -> None:
    """Make a site with keys of its own, ready for contracts and deliveries.

    Example: uttag init my-site
    """
    from workflows.init import create_site

    create_site(site, example)
    print(
        f"made {site}; next: put a contract into {site / 'contracts'} and name its source in "
        f"{site / 'site.yaml'}, then uttag check {site}"
    )


@app.command()
def sign(
    permit: Annotated[Path, typer.Argument(help="the permit's file in a site")],
    owner: Annotated[str, typer.Option(help="in whose name")],
    key: Annotated[Path, typer.Option(help="the owner's private key file")],
) -> None:
    """Sign a permit as it stands, as the owner of one of its sources.

    Example: uttag sign demo-site/permits/diabetes.yaml --owner region --key region.ed25519
    """
    from pipelines.site import audit
    from pipelines.site import permit as permits

    site = _site_of(permit)
    permits.sign(site, permits.Permit.load(site, permit.stem), owner, key)
    audit.note(site, "sign", permit=permit.stem, owner=owner)
    print(f"signed {permit.stem} as {owner}")


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="a released bundle's folder")],
    key: Annotated[
        Path | None, typer.Option(help="the centre's public key, as you got it by another way")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every claim of a released bundle, offline; exit 0 only if all hold.

    Example: uttag verify release/diabetes --key centre.pub
    """
    from workflows.verify import verify_or_raise

    claims = verify_or_raise(bundle, key, quiet=as_json)
    if as_json:
        print(json.dumps(claims, indent=2))


@app.command()
def pull(
    case: Annotated[str, typer.Argument(help="the permit's name")],
    site: Annotated[Path, typer.Option(help="the site's folder")] = Path(),
    out: Annotated[Path, typer.Option(help="where to put it")] = Path(),
) -> None:
    """Copy a finished bundle and verify it on arrival.

    Example: uttag pull diabetes --site demo-site --out tables
    """
    from pipelines.release.pull import pull as pull_bundle
    from pipelines.site.site import Site

    print(pull_bundle(Site.load(site), case, out))


@app.command("linkage-error")
def linkage_error(
    permit: Annotated[Path, typer.Argument(help="the permit's file in a site; it has been run")],
    draws: Annotated[int, typer.Option(min=10, max=10_000, help="how many times the linkage is drawn")] = 100,
) -> None:
    """Count a permit's tables again under draws of the linkage: how much do they hang on links that are not
    certain?

    Example: uttag linkage-error demo-site/permits/diabetes.yaml --draws 100
    """
    from workflows import linkage_error as errors

    for line in errors.run(_site_of(permit), permit.stem, draws):
        print(line)


@app.command("audit")
def audit_log(
    site: SitePath, head: Annotated[str | None, typer.Option(help="a head that you noted earlier")] = None
) -> None:
    """Check that nobody rewrote the site's log, and print its head for you to keep.

    Example: uttag audit demo-site
    """
    from pipelines.site import audit
    from pipelines.site.site import Site

    opened = Site.load(site)
    count = audit.verify(opened, head)
    print(f"{count} entries, each follows from the one before; head {audit.head(opened)}")


@app.command(hidden=True)
def stage(
    name: str,
    site: Annotated[Path, typer.Option(envvar="UTTAG_SITE")] = Path(),
    delivery: Annotated[str | None, typer.Option()] = None,
    permit: Annotated[str | None, typer.Option()] = None,
    snapshot: Annotated[str | None, typer.Option()] = None,
    on: On = "local",
    workers: WorkerCount = 1,
    each: Annotated[str, typer.Option(help="MiB and minutes of a worker's job, as 1500:240")] = "",
) -> None:
    """One stage, as a rule of the workflows calls it."""
    from workflows.stages import Call, run

    journal = Path(os.environ["UTTAG_JOURNAL"]) if os.environ.get("UTTAG_JOURNAL") else None
    run(name, Call(site, delivery, permit, snapshot, on, workers, each, journal))


def _site_of(permit: Path) -> Any:
    from pipelines.site.site import Site

    return Site.load(permit.resolve().parent.parent)


if __name__ == "__main__":
    main()
