"""What a person sees when something is wrong: one clear line, an exit code of its own, and nothing
half-written."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml

from pipelines.files.sealing import create_key
from pipelines.site.site import Site
from tests import sites
from workflows import cli

KEPT = ("folkbokforing", "journal_b", "dodsorsak", "kvalitetsregister")
DELIVERY = "2025-09-01"
COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def one_line(text: str) -> str:
    """The last line, which must be the only one that says uttag, and no traceback."""
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith("uttag:")]
    assert len(lines) == 1, text
    return lines[0]


@pytest.fixture
def few(region: Path, tmp_path: Path) -> Path:
    """The region with four of its sources."""
    root = sites.copy_of(region, tmp_path / "site")
    settings = yaml.safe_load((root / "site.yaml").read_text(encoding="utf-8"))
    settings["sources"] = {name: settings["sources"][name] for name in KEPT}
    (root / "site.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return root


def test_broken_deliveries_are_stopped_and_the_night_goes_on(few: Path) -> None:
    parquet = next((few / "deliveries" / "journal_b" / DELIVERY).glob("diagnos-*.parquet"))
    parquet.write_bytes(parquet.read_bytes()[:-500])
    causes = next((few / "deliveries" / "dodsorsak" / DELIVERY).glob("*.csv"))
    causes.write_bytes(
        b"\n".join(
            line.rpartition(b";" if b";" in line else b",")[0] for line in causes.read_bytes().splitlines()
        )
    )
    register = next((few / "deliveries" / "kvalitetsregister" / DELIVERY).glob("*.csv"))
    register.write_bytes(b"\xff\xfe" + register.read_bytes())

    ran = sites.uttag("refresh", few, check=False)
    assert ran.returncode == 11
    told = [line for line in ran.stderr.splitlines() if line.startswith("uttag: ")]
    assert "and 2 more" in told[0]
    assert len(told) == 3  # a line for each
    found = json.loads(sites.called("status", few, "--json").stdout)
    states = {each["source"]: each["status"] for each in found["deliveries"]}
    assert states == {
        "folkbokforing": "accepted",
        "journal_b": "stopped",
        "dodsorsak": "stopped",
        "kvalitetsregister": "stopped",
    }
    assert found["snapshot"]
    for name in ("journal_b", "dodsorsak", "kvalitetsregister"):
        reason = next(each["reason"] for each in found["deliveries"] if each["source"] == name)
        assert DELIVERY in reason or ".csv" in reason or ".parquet" in reason
        assert not [
            path
            for zone in ("identity", "store")
            for path in (few / zone / "accepted" / name).rglob("*.parquet")
        ]


def expired(site: Path) -> None:
    change(site / "permits" / "diabetes.yaml", "valid_to: 2099-12-31", "valid_to: 2025-01-31")


def unsigned(site: Path) -> None:
    (site / "permits" / "diabetes.signatures.json").unlink()


def wrong_key(site: Path) -> None:
    (site / "keys" / "store.key").unlink()
    create_key(site / "keys" / "store.key")


def open_key(site: Path) -> None:
    (site / "keys" / "store.key").chmod(0o644)


def no_snapshot(site: Path) -> None:
    (site / "store" / "current.json").unlink()


FAULTS: list[tuple[Callable[[Path], None], int, str]] = [
    (expired, 12, "valid_to (2025-01-31) has passed; ask the board for an extension"),
    (unsigned, 12, "has not signed it as it stands; have it signed"),
    (wrong_key, 13, "the zone's key does not open it"),
    (open_key, 13, "open to others"),
    (no_snapshot, 14, "is not there"),
]


@pytest.mark.parametrize(("spoil", "code", "words"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_a_run_that_may_not_or_cannot_go_on_says_why(
    spoil: Callable[[Path], None], code: int, words: str, first_night: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    for kept in (root / "projects", root / "release"):
        for path in sorted(kept.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    spoil(root)
    ran = sites.called("run", root / "permits" / "diabetes.yaml", check=False)
    assert ran.returncode == code
    assert words in one_line(ran.stderr)
    assert not list((root / "release").rglob("*.csv"))


def test_a_full_disk_stops_the_run_and_leaves_no_half_file(few: Path) -> None:
    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    ran = sites.uttag(
        "stage",
        "intake",
        "--site",
        few,
        "--delivery",
        f"folkbokforing/{DELIVERY}",
        check=False,
        preexec_fn=small_disk,
    )
    assert ran.returncode == 18
    assert "no room" in one_line(ran.stderr)
    assert not Site.load(few).receipt("intake", Site.load(few).delivery("folkbokforing", DELIVERY)).exists()
    assert [path for zone in ("identity", "store") for path in (few / zone).rglob("*.part")] == []
    sites.called("stage", "intake", "--site", few, "--delivery", f"folkbokforing/{DELIVERY}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("refresh",), "Missing argument"),
        (("refresh", "/nowhere"), "is not there"),
        (("demo", "--on", "mars"), "neither local nor slurm"),
        (("run", "/nowhere/permits/p.yaml"), "is not there"),
        (("nonsense",), "No such command"),
    ],
)
def test_a_wrong_command_is_told_so(arguments: tuple[str, ...], words: str) -> None:
    ran = sites.uttag(*arguments, check=False)
    assert ran.returncode == 10
    assert words in one_line(ran.stderr)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_ends_with_the_code_of_its_mistake(name: str) -> None:
    """As a script sees it, from outside: most tests call commands in their own process."""
    ran = sites.uttag(name, "--no-such-option", check=False)
    assert (ran.returncode, ran.stdout) == (10, "")
    assert "--no-such-option" in one_line(ran.stderr)


def test_what_a_command_makes_is_closed_whatever_the_users_umask_is(tmp_path: Path) -> None:
    sites.uttag("init", tmp_path / "centre", umask=0)
    assert [path for path in (tmp_path / "centre").rglob("*") if path.stat().st_mode & 0o077] == []


def test_a_fault_never_shows_the_value_that_it_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_arguments: object, **_more: object) -> None:
        raise ValueError("Kanariefågelsson 198001019801")

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "Kanarie" not in said.err + said.out
    assert "ValueError at test_command_line.py" in said.err
