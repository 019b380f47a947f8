"""Each command as a person gives it: what it says, what it leaves, and how it ends when all is not well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pytest import CaptureFixture, MonkeyPatch

from pipelines.site import audit, signing
from pipelines.site.site import Site
from tests import sites
from workflows import cli

PERMIT = "diabetes"


def commands(group: Any, above: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{above}{name} ")
        elif not command.hidden:
            yield f"{above}{name}"


COMMANDS = sorted(commands(typer.main.get_command(cli.app)))
STAGES = ["cohort", "aggregation", "disclosure", "measures", "release"]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def everything(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file that a run could change; the workflow's own settings and Snakemake's are no
    results."""
    paths = (path for path in root.rglob("*") if path.is_file() and ".snakemake" not in path.parts)
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in paths
        if path.parent.name != "runs" or path.suffix == ".journal"
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_how_it_is_used_with_an_example(
    name: str, monkeypatch: MonkeyPatch, capsys: CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["uttag", *name.split(), "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"\n  Example: uttag {name} " in said or said.rstrip().find(f"Example: uttag {name}") > 0


# ---- init and check ----------------------------------------------------------------------------------------


def test_a_new_site_has_closed_keys_and_holds_together(tmp_path: Path) -> None:
    root = tmp_path / "centre"
    assert "next: put a contract" in sites.uttag("init", root).stdout
    for name in ("identity.key", "store.key", "release.ed25519"):
        assert (root / "keys" / name).stat().st_mode & 0o777 == 0o600
    said = sites.called("check", root).stdout
    assert "key of zone identity: there, and closed to others" in said
    assert "deliveries: 0" in said


def test_a_site_is_never_made_over_another(tmp_path: Path) -> None:
    sites.called("init", tmp_path / "centre")
    key = (tmp_path / "centre" / "keys" / "store.key").read_bytes()
    ran = sites.called("init", tmp_path / "centre", check=False)
    assert (ran.returncode, "there is a site already" in ran.stderr) == (10, True)
    assert (tmp_path / "centre" / "keys" / "store.key").read_bytes() == key


def test_an_example_that_is_none_leaves_nothing(tmp_path: Path) -> None:
    ran = sites.uttag("init", tmp_path / "centre", "--example", "nowhere", check=False)
    assert ran.returncode == 10
    assert "choose from gibleed, mimic" in ran.stderr
    assert not (tmp_path / "centre").exists()


def test_two_new_sites_have_keys_of_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        sites.called("init", tmp_path / name)
    for key in ("identity.key", "store.key", "release.ed25519"):
        assert (tmp_path / "one" / "keys" / key).read_bytes() != (
            tmp_path / "two" / "keys" / key
        ).read_bytes()


def test_check_reads_all_of_a_site(region: Path) -> None:
    said = sites.uttag("check", region).stdout
    for words in (
        "source folkbokforing: contract with",
        "definition type-2-diabetes.yaml",
        f"permit {PERMIT}: cohort type-2-diabetes",
    ):
        assert words in said


BROKEN = [
    ("contracts/dodsorsak.yaml", "owner:", "keeper:", "owner"),
    ("permits/diabetes.yaml", "count: members", "count: everything", "tables.0.count"),
    (
        "permits/diabetes.yaml",
        "sources: [",
        "sources: [elsewhere, ",
        "source elsewhere is not one of the site's",
    ),
    ("definitions/type-2-diabetes.yaml", "which: any", "which: 198001019801", "index.which"),
    ("site.yaml", "site: ", "city: ", "site.yaml"),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "place"), BROKEN, ids=[f"{each[0]} {each[3]}" for each in BROKEN]
)
def test_what_is_broken_is_named_with_its_place_and_without_its_value(
    file: str, old: str, new: str, place: str, region: Path, tmp_path: Path
) -> None:
    root = tmp_path / "site"
    for name in ("contracts", "definitions", "permits", "keys"):
        sites.copy_of(region / name, root / name)
    (root / "site.yaml").write_bytes((region / "site.yaml").read_bytes())
    change(root / file, old, new)
    for path in (root, root / file) if file != "site.yaml" else (root,):
        ran = sites.called("check", path, check=False)
        assert ran.returncode == 10
        lines = ran.stderr.splitlines()
        assert len(set(lines)) == len(lines)
        assert all(Path(file).name in line for line in lines)
        assert place in ran.stderr
        assert "198001019801" not in ran.stderr


# ---- doctor and status -------------------------------------------------------------------------------------


def test_doctor_looks_at_this_machine() -> None:
    found = {each["what"]: each for each in json.loads(sites.uttag("doctor", "--json", check=False).stdout)}
    assert found["python"]["ok"]
    assert found["mpiexec"]["found"] == "2 ranks answered of 2"
    assert found["memory"]["found"].endswith("GiB")
    assert any(name.startswith("slurm") for name in found)


def test_doctor_says_it_in_lines_too() -> None:
    lines = sites.called("doctor", check=False).stdout.splitlines()
    assert all(line.startswith(("ok ", "no ", "!  ")) for line in lines)
    assert len(lines) > 10


def test_status_before_anything_ran(region: Path) -> None:
    said = sites.uttag("status", region).stdout
    assert "folkbokforing/2025-09-01: waiting" in said
    assert "snapshot none yet" in said
    assert "diabetes, standing: waiting; there is no snapshot yet" in said
    found = json.loads(sites.called("status", region, "--json").stdout)
    assert {each["status"] for each in found["deliveries"]} == {"waiting"}
    assert found["snapshot"] is None


def test_status_after_a_night(first_night: Path) -> None:
    found = json.loads(sites.called("status", first_night, "--json").stdout)
    assert {each["status"] for each in found["deliveries"]} == {"accepted"}
    assert found["released"] == [PERMIT]
    assert [each["stage"] for each in found["runs"]["release"]["done"]] == STAGES
    assert found["runs"]["refresh"]["failed"] == []
    said = sites.called("status", first_night).stdout
    assert f"snapshot {found['snapshot']}" in said
    assert "rows" in said


# ---- a dry run ---------------------------------------------------------------------------------------------


def test_a_dry_run_of_what_is_new_names_each_stage_and_runs_none(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    before = everything(root)
    ran = sites.uttag("refresh", root, "--dry-run")
    lines = ran.stdout.splitlines()
    assert "would run intake journal_a/2025-09-01: it is new" in lines
    assert lines[-2:] == ["would run linkage: deliveries come or go", "would run store: linkage runs"]
    assert len(lines) == len(Site.load(root).deliveries()) + 2
    assert ran.stderr == ""
    assert everything(root) == before


def test_a_dry_run_of_a_permit_names_its_stages_and_runs_none(first_night: Path, tmp_path: Path) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    for receipt in (root / "projects" / PERMIT / "runs").glob("*/*.json"):
        receipt.unlink()
    before = everything(root)
    ran = sites.called("run", root / "permits" / f"{PERMIT}.yaml", "--dry-run")
    why = "its receipts are gone"
    assert ran.stdout.splitlines() == [f"would run {stage} {PERMIT}: {why}" for stage in STAGES]
    assert everything(root) == before


def test_a_dry_run_with_nothing_new_says_so(first_night: Path, tmp_path: Path) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    ran = sites.called("run", root / "permits" / f"{PERMIT}.yaml", "--dry-run")
    assert ran.stdout == "nothing would run: everything is up to date\n"


# ---- people's steps ----------------------------------------------------------------------------------------


def test_a_log_that_was_cut_short_no_longer_reaches_the_head_that_was_noted(
    first_night: Path, tmp_path: Path
) -> None:
    root = tmp_path / "site"
    sites.copy_of(first_night / "audit", root / "audit")
    (root / "site.yaml").write_bytes((first_night / "site.yaml").read_bytes())
    head = sites.uttag("audit", root).stdout.rpartition("head ")[2].strip()
    assert head == audit.head(Site.load(first_night))
    sites.called("audit", root, "--head", head)
    log = audit.log_file(Site.load(root))
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    sites.called("audit", root)  # without a head that is noted elsewhere, nobody can tell
    ran = sites.uttag("audit", root, "--head", head, check=False)
    assert ran.returncode == 16
    assert "does not reach the head" in ran.stderr


def test_a_wrong_key_signs_nothing_and_leaves_the_right_signature(region: Path, tmp_path: Path) -> None:
    root = tmp_path / "site"
    for name in ("contracts", "definitions", "permits", "keys"):
        sites.copy_of(region / name, root / name)
    (root / "site.yaml").write_bytes((region / "site.yaml").read_bytes())
    permit, signatures = root / "permits" / f"{PERMIT}.yaml", root / "permits" / f"{PERMIT}.signatures.json"
    before = json.loads(signatures.read_text(encoding="utf-8"))
    owner = next(iter(before))
    signing.create_signing_key(tmp_path / "other.ed25519")
    for key, code in ((tmp_path / "other.ed25519", 12), (tmp_path / "missing.ed25519", 13)):
        ran = sites.called("sign", permit, "--owner", owner, "--key", key, check=False)
        assert ran.returncode == code
        assert len(ran.stderr.splitlines()) == 1
        assert json.loads(signatures.read_text(encoding="utf-8")) == before
    assert (
        f"signed {PERMIT} as {owner}"
        in sites.called(
            "sign", permit, "--owner", owner, "--key", root / "keys" / "owners" / f"{owner}.ed25519"
        ).stdout
    )


def test_pull_never_writes_over_what_is_there(first_night: Path, tmp_path: Path) -> None:
    mine = tmp_path / PERMIT / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    ran = sites.uttag("pull", PERMIT, "--site", first_night, "--out", tmp_path, check=False)
    assert ran.returncode == 10
    assert "is there already" in ran.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["notes.txt"]


# ---- compiled loops ----------------------------------------------------------------------------------------


def test_compiled_loops_are_never_read_from_a_folder_that_others_may_write(
    tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    mine, open_one, link = tmp_path / "mine", tmp_path / "open", tmp_path / "link"
    open_one.mkdir()
    open_one.chmod(0o777)
    link.symlink_to(tmp_path)
    for folder, kept in ((mine, True), (open_one, False), (link, False)):
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
        chosen = Path(cli._compiled())
        assert (chosen.parent == folder) is kept
        assert chosen.stat().st_mode & 0o077 == 0
