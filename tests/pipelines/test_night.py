"""The line that cron is given: it runs the night from cron's bare environment, once at a time, and is its own
site's."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.errors import ClusterError, ContractError, SettingsError, StageError
from pipelines.files import documents
from pipelines.site.site import Site
from tests import sites
from workflows import night, nights, run
from workflows.driver import Options

SOURCES = ("folkbokforing", "dodsorsak")
PERMIT = Path(__file__).parents[2] / "workflows" / "demo" / "site" / "permits" / "diabetes.yaml"
OTHERS = "MAILTO=someone\n5 4 * * * /usr/bin/true # a line of another program\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny site with two sources and no standing permit, in a folder whose name is hard on a shell and on
    cron."""
    from workflows.demo.run import make_site

    root = tmp_path_factory.mktemp("night") / "50% of o'Region"
    make_site(root, 500, seed=3)
    settings = yaml.safe_load((root / "site.yaml").read_text(encoding="utf-8"))
    settings["sources"] = {name: settings["sources"][name] for name in SOURCES}
    (root / "site.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    shutil.rmtree(root / "permits")
    return root


def as_cron_would(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    """The command of a crontab's line, as cron runs it: up to the first bare percent sign, in a shell that
    knows next to nothing."""
    command = re.split(r"(?<!\\)%", line.split(maxsplit=5)[5])[0].replace(r"\%", "%")
    bare = {"HOME": str(home), "LOGNAME": "someone", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=home,
        env=bare,
        capture_output=True,
        text=True,
        timeout=sites.PATIENCE,
        check=False,
    )


def test_the_line_runs_the_night_from_crons_bare_environment_and_leaves_a_log(
    small: Path, tmp_path: Path
) -> None:
    line = sites.uttag("schedule", small, "--at", "02:30").stdout.rstrip("\n")
    assert line.startswith("30 2 * * * ")
    ran = as_cron_would(line, tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (
        0,
        "",
        "",
    )  # what cron would mail to somebody: nothing
    (log,) = (small / "runs" / "nights").iterdir()
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}\.log", log.name)
    assert log.stat().st_mode & 0o077 == 0
    assert "store" in log.read_text(encoding="utf-8")
    assert (small / "store" / "current.json").exists()


def test_a_second_night_while_the_first_holds_the_lock_does_nothing(small: Path, tmp_path: Path) -> None:
    root = sites.copy_of(small, tmp_path / "site")
    shutil.rmtree(root / "runs", ignore_errors=True)
    line = night.cron_line(Site.load(root), "02:30", "local")
    (root / "runs").mkdir()
    with (root / "runs" / "night.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = as_cron_would(line, tmp_path)
    assert ran.returncode == 17
    assert sites.stages_begun(root, "refresh") == []
    assert not (root / "runs" / "refresh.log").exists()
    (log,) = (root / "runs" / "nights").iterdir()
    assert "a night of this site is under way" in log.read_text(encoding="utf-8")


@pytest.fixture
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for this user's crontab, which no test may touch: a program of that name that keeps what it
    is given in a file."""
    kept, program = tmp_path / "crontab.txt", tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then cat "{kept}" 2>/dev/null; else cat > "{kept}"; fi\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return kept


def empty_site(root: Path) -> Path:
    root.mkdir(parents=True)
    (root / "site.yaml").write_text("site: somewhere\nsources: {}\n", encoding="utf-8")
    return root


def test_install_replaces_the_sites_own_line_and_keeps_the_others(crontab: Path, tmp_path: Path) -> None:
    crontab.write_text(OTHERS, encoding="utf-8")
    site = empty_site(tmp_path / "one" / "region")
    sites.called("schedule", site, "--at", "02:30", "--install")
    later = sites.called("schedule", site, "--at", "4:05", "--install").stdout
    assert later.startswith("5 4 * * * ")
    assert crontab.read_text(encoding="utf-8") == OTHERS + later


def test_a_site_whose_folder_has_the_same_name_elsewhere_keeps_its_line(
    crontab: Path, tmp_path: Path
) -> None:
    lines = [
        sites.called("schedule", empty_site(tmp_path / place / "region"), "--install").stdout
        for place in ("one", "two")
    ]
    assert crontab.read_text(encoding="utf-8") == "".join(lines)


def test_without_install_no_crontab_is_touched(crontab: Path, tmp_path: Path) -> None:
    sites.called("schedule", empty_site(tmp_path / "region"))
    assert not crontab.exists()


def test_a_crontab_that_takes_no_line_is_told(tmp_path: Path, crontab: Path) -> None:
    (tmp_path / "bin" / "crontab").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    ran = sites.uttag("schedule", empty_site(tmp_path / "region"), "--install", check=False)
    assert ran.returncode == 10
    assert "did not take the line" in ran.stderr


@pytest.mark.parametrize(
    "at", ["24:00", "2:5", "12:60", "noon", "02:30 ", "02:30\n", "1:30\n* * * * * rm", ""]
)
def test_what_is_no_time_of_day_is_refused(at: str, tmp_path: Path) -> None:
    site = Site.load(empty_site(tmp_path / "region"))
    with pytest.raises(SettingsError, match="is not a time of day"):
        night.cron_line(site, at, "local")


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    ran = sites.called("schedule", empty_site(tmp_path / "region"), "--on", "mars", check=False)
    assert ran.returncode == 10
    assert "neither local nor slurm" in ran.stderr


def test_on_slurm_the_line_says_where_slurm_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cron knows neither the folder of Slurm's commands nor a configuration that lies elsewhere."""
    sbatch = tmp_path / "a slurm" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text("#!/bin/sh\n", encoding="utf-8")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sbatch.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_CONF", "/somewhere/slurm.conf")
    line = night.cron_line(Site.load(empty_site(tmp_path / "region")), "02:30", "slurm")
    assert f"env PATH='{sbatch.parent}':/usr/bin:/bin SLURM_CONF=/somewhere/slurm.conf " in line
    assert "--on slurm" in line


def test_each_failure_of_a_night_is_said_once_and_keeps_no_other_permit_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site.load(empty_site(tmp_path / "region"))
    (site.root / "permits").mkdir()
    for name in ("a", "b", "c"):
        text = PERMIT.read_text(encoding="utf-8").replace("permit: diabetes", f"permit: {name}")
        (site.root / "permits" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (site.root / "permits" / "broken.yaml").write_text("permit: [\n", encoding="utf-8")
    tried: list[str] = []

    def refresh(_site: Site, _options: Options, _planned: object) -> None:
        raise ContractError("source/delivery", "stopped: it is not whole", "ask for another")

    def release(_site: Site, name: str, _options: Options) -> None:
        tried.append(name)
        if name == "b":
            raise StageError("of b", 15)

    monkeypatch.setattr(run, "refresh", refresh)
    monkeypatch.setattr(run, "release", release)
    with pytest.raises(ContractError, match="it is not whole"):
        night.run_night(site, Options())
    said = capsys.readouterr().err.splitlines()
    assert tried == ["a", "b", "c"]
    assert [line.startswith("uttag: ") for line in said] == [True, True]
    assert "of b" in said[0]
    assert "broken.yaml:" in said[1]


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "it was interrupted"),
        (ZeroDivisionError("19640823-3234"), 1, "fault in the program (ZeroDivisionError)"),
        (ClusterError("slurm", "does not answer", "wait"), 19, "slurm: does not answer; wait"),
    ],
)
def test_a_night_that_ends_before_its_time_says_so_in_its_record(
    fault: BaseException, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site.load(empty_site(tmp_path / "region"))

    def refresh(*_arguments: object) -> None:
        raise fault

    monkeypatch.setattr(run, "refresh", refresh)
    with pytest.raises(type(fault)):
        night.run_night(site, Options())
    record = nights.last(site)
    assert record is not None
    assert (record["outcome"], record["exit_code"]) == ("trouble", code)
    assert [each["text"] for each in record["faults"]] == [said]
    assert (nights.folder(site) / f"{record['night']}.html").exists()


def test_a_night_that_was_killed_says_nothing_and_is_told_as_that(tmp_path: Path) -> None:
    site = Site.load(empty_site(tmp_path / "region"))
    begun = nights.Night.begin(site, "local")
    path = nights.folder(site) / f"{begun.name}.json"
    record = nights.last(site)
    assert record is not None
    assert record["outcome"] == "running"
    documents.write_json({**documents.read_object(path), "process": 2**22 + 1}, path)
    record = nights.last(site)
    assert record is not None
    assert record["outcome"] == "ended without a word"


def test_records_of_old_nights_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site.load(empty_site(tmp_path / "region"))
    monkeypatch.setattr(nights, "KEPT", 3)
    for day in range(1, 6):
        documents.write_json({"outcome": "good"}, nights.folder(site) / f"2025-01-0{day}T00-00-00Z.json")
    nights.Night.begin(site, "local").end()
    assert [path.stem[:10] for path in nights.records(site)][:2] == ["2025-01-04", "2025-01-05"]
    assert len(nights.records(site)) == 3
