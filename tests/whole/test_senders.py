"""Deliveries as real senders make them, night after night: what is wrong with one is said of that one, the
others go through, and what is no longer there no longer counts."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.errors import ContractError, SettingsError
from pipelines.files import documents
from pipelines.files.yaml import load_yaml
from pipelines.site import audit
from pipelines.site.acceptance import Verdict, verdicts
from pipelines.site.contents import contents
from pipelines.site.decisions import decide
from pipelines.site.deliveries import active
from pipelines.site.guards import Guards
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot, current
from pipelines.site.sources import states
from tests import sites
from tests.intake_site import DIAGNOSES, PATIENTS, PEOPLE, contract, deliver
from tests.intake_site import site as made_site
from workflows.plan import Plan

GOOD = "id,day,end,code\n" + "".join(f"1,2021-02-{day:02d},,I10\n" for day in range(1, 11))
FILES: dict[str, bytes | str] = {"patients.csv": PEOPLE, "diagnoses.csv": GOOD}
OTHERS = {"patients.csv": PEOPLE, "diagnoses.csv": GOOD.replace("I10", "I11")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A site with one good delivery, d1, which no night has read yet."""
    made_site(tmp_path / "site", contract(PATIENTS, DIAGNOSES), FILES)
    return tmp_path / "site"


def verdict(root: Path, name: str) -> Verdict:
    return next(each for each in verdicts(Site.load(root)) if each.receipt["delivery"] == name)


def counted(root: Path) -> int:
    """Rows of diagnoses in the snapshot."""
    return sum(shard.rows["events"] for shard in Snapshot.load(Site.load(root)).shards)


# ---- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["2025-10-02$(touch pwned)", "a b", "å", "{1}", "-rf", "..", "'", "x" * 101, "a\nb", "\udcff"]
)
def test_a_name_that_is_not_allowed_runs_nothing_and_stops_itself_alone(root: Path, name: str) -> None:
    if name == "..":
        return  # no folder can be called so
    deliver(root, name, FILES, "2025-10-02")
    sites.refreshed(root)
    words = [(each.word, each.reason or "") for each in verdicts(Site.load(root))]
    assert sorted(word for word, _ in words) == ["accepted", "stopped"]
    assert "its folder has a name that is not allowed" in dict(words)["stopped"]
    assert not list(root.rglob("pwned"))
    assert sites.refreshed(root).due == []  # told once, and no stage again


def test_a_source_with_such_a_name_is_refused(root: Path) -> None:
    text = (root / "site.yaml").read_text(encoding="utf-8")
    (root / "site.yaml").write_text(text.replace("clinic:", '"$(touch pwned)":'), encoding="utf-8")
    with pytest.raises(SettingsError, match="sources"):
        Site.load(root)


# ---- announcements -----------------------------------------------------------------------------------------


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _write(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write


def _swap(old: str, new: str) -> Callable[[Path], None]:
    def swap(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return swap


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_write(""), "does not hold names and values"),
        (_write("source: [\n"), "is not YAML"),
        (_write("a: " + "[" * 5000), "nested too deep"),
        (_write(BOMB), "stands for more than"),
        (_write("x" * (2 << 20)), "larger than 1 MiB"),
        (_swap("source:", "root: /etc\nsource:"), "root: extra inputs"),
        (_swap("source:", "sauce: x\nsource:"), "sauce: extra inputs"),
        (_swap("source:", "1: x\nsource:"), "string"),
        (_swap("'2025-09-01'", "2025-02-30"), "a date or number that there is not"),
        (_swap("delivery: d2", "delivery: d1"), "names another source or delivery"),
        (_swap("- patients.csv", "- /etc/passwd"), "outside the delivery's folder"),
        (_swap("- patients.csv", "- ../d1/patients.csv"), "outside the delivery's folder"),
        (_swap("- patients.csv", "- patients.csv\n  - patients.csv"), "named twice"),
        (_swap("- patients.csv", '- "a\\nb.csv"'), "cannot be one"),
        (_swap("source:", "replaces: $(x)\nsource:"), "is no name of a delivery"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is not UTF-8"),
        (_pipe, "is not a file"),
        (_link, "is a link"),
    ],
)
def test_an_announcement_that_does_not_read_stops_its_delivery_alone(
    root: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(deliver(root, "d2", FILES, "2025-09-01") / "delivery.yaml")
    sites.refreshed(root)
    assert verdict(root, "d1").word == "accepted"
    assert verdict(root, "d2").word == "stopped"
    assert said in (verdict(root, "d2").reason or "")
    assert (verdict(root, "d2").reason or "").startswith("clinic/d2")
    assert counted(root) == 10


def test_a_mended_announcement_is_read_the_next_night(root: Path) -> None:
    path = deliver(root, "d2", FILES, "2025-09-02") / "delivery.yaml"
    good = path.read_text(encoding="utf-8")
    path.write_text("", encoding="utf-8")
    sites.refreshed(root)
    path.write_text(good, encoding="utf-8")
    plan = sites.refreshed(root)
    assert [(each.what, each.why) for each in plan.due if each.stage == "intake"] == [
        ("clinic/d2", "its files changed since it was stopped")
    ]
    assert verdict(root, "d2").word == "accepted"


# ---- files -------------------------------------------------------------------------------------------------


def _parquet(text: str, rows: int) -> bytes:
    """A file of a few kB in which one text stands for all rows of a column."""
    out = io.BytesIO()
    code = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))
    table = pa.table({**{name: pa.array([""] * rows) for name in ("id", "day", "end")}, "code": code})
    pq.write_table(table, out, compression="zstd", row_group_size=rows)
    return out.getvalue()


def test_links_and_pipes_among_the_files_are_not_followed(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "diagnoses.csv").write_text(GOOD, encoding="utf-8")
    linked = deliver(root, "d2", FILES, "2025-09-02")
    (linked / "diagnoses.csv").unlink()
    (linked / "diagnoses.csv").symlink_to(secret / "diagnoses.csv")
    inner = deliver(root, "d3", {"patients.csv": PEOPLE}, "2025-09-03")
    (inner / "in").symlink_to(secret)
    _swap("patients:", "diagnoses: [in/diagnoses.csv]\n  patients:")(inner / "delivery.yaml")
    piped = deliver(root, "d4", FILES, "2025-09-04")
    _pipe(piped / "diagnoses.csv")
    (root / "deliveries" / "clinic" / "d5").symlink_to(root / "deliveries" / "clinic" / "d1")
    sites.refreshed(root)
    for name, said in (
        ("d2", "is a link"),
        ("d3", "is a link"),
        ("d4", "is not a file"),
        ("d5", "is a link"),
    ):
        assert verdict(root, name).word == "stopped"
        assert said in (verdict(root, name).reason or "")
    assert counted(root) == 10


def test_a_file_that_unpacks_to_far_more_than_it_is_is_stopped(root: Path) -> None:
    agreed = contract(PATIENTS, DIAGNOSES)
    for name, bomb in (
        ("d2", _parquet("I" * 20_000_000, 50_000)),
        ("d6", _parquet("I" * 100_000, 1_000_000)),
    ):
        assert len(bomb) < 20_000
        deliver(root, name, {"patients.csv": PEOPLE, "diagnoses.parquet": bomb}, "2025-09-02")
    wide = "id,day,end,code," + ",".join(f"x{n}" for n in range(5000)) + "\n"
    deliver(root, "d3", {"patients.csv": PEOPLE, "diagnoses.csv": wide}, "2025-09-03")
    long = "id,day,end,code\n1,2021-02-01,," + "I" * (40 << 20) + "\n"
    deliver(root, "d4", {"patients.csv": PEOPLE, "diagnoses.csv": long}, "2025-09-04")
    (root / "contracts" / "clinic.yaml").write_text(yaml.safe_dump(agreed), encoding="utf-8")
    sites.refreshed(root)
    for name in ("d2", "d6"):
        assert "unpack to" in (verdict(root, name).reason or "")
    assert "more than 4,000 columns" in (verdict(root, "d3").reason or "")
    assert verdict(root, "d4").word == "stopped"
    assert counted(root) == 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        ("id,day,end,code\n1,2021-02-01,,I10\n2,2021-02-01,,Å10\n".encode(), "is text in UTF-8, where"),
        (GOOD.encode("utf-16"), "the column id is missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_and_not_what_follows_from_it(
    root: Path, content: bytes, said: str
) -> None:
    latin = contract(PATIENTS, DIAGNOSES, server={"encoding": "ISO-8859-1"})
    (root / "contracts" / "clinic.yaml").write_text(yaml.safe_dump(latin), encoding="utf-8")
    people = PEOPLE.encode("latin-1")
    (root / "deliveries" / "clinic" / "d1" / "patients.csv").write_bytes(people)
    deliver(root, "d2", {"patients.csv": people, "diagnoses.csv": content}, "2025-09-02")
    sites.refreshed(root)
    assert verdict(root, "d1").word == "accepted"
    assert said in (verdict(root, "d2").reason or "")


# ---- what is no longer there -------------------------------------------------------------------------------


def test_a_removed_folder_counts_no_more_and_its_removal_stands_in_the_log(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02")
    sites.refreshed(root)
    both = counted(root)
    shutil.rmtree(root / "deliveries" / "clinic" / "d2")
    plan = Plan.of(Site.load(root))
    assert plan.said()[0] == "would forget clinic/d2: its folder was removed"
    sites.refreshed(root)
    assert counted(root) == both - 10
    site = Site.load(root)
    assert not (site.store / "accepted" / "clinic" / "d2").exists()
    assert not (site.identity / "accepted" / "clinic" / "d2").exists()
    noted = list(audit.entries(site, "delivery removed"))
    assert [(each["about"]["source"], each["about"]["delivery"]) for each in noted] == [("clinic", "d2")]
    again = made_site(root.parent / "again", contract(PATIENTS, DIAGNOSES), FILES)
    sites.refreshed(again.root)
    assert current(again) == current(site)
    deliver(root, "d2", OTHERS, "2025-09-02")  # and it may come back
    sites.refreshed(root)
    assert counted(root) == both


def test_a_disk_that_is_not_there_forgets_nothing(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02")
    sites.refreshed(root)
    before = current(Site.load(root))
    away = root / "away"
    (root / "deliveries").rename(away)
    for mount in (False, True):
        if mount:
            (root / "deliveries" / "clinic").mkdir(parents=True)
        plan = sites.refreshed(root)
        assert "is its disk there" in str(plan.faults[0])
        assert current(Site.load(root)) == before
    shutil.rmtree(root / "deliveries")
    away.rename(root / "deliveries")
    assert sites.refreshed(root).due == []


def test_what_did_not_count_goes_without_a_stage(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02", replaces="never-came")
    sites.refreshed(root)
    assert verdict(root, "d2").word == "held"
    site = Site.load(root)
    decide(site, "clinic", "d2", "withdrawn", "sent by mistake")
    assert Plan.of(site).said() == ["would forget clinic/d2: it was withdrawn"]
    (root / "decisions" / "deliveries" / "clinic" / "d2.json").unlink()
    shutil.rmtree(root / "deliveries" / "clinic" / "d2")
    assert Plan.of(site).said() == ["would forget clinic/d2: its folder was removed"]


def test_a_replaced_delivery_may_be_removed_and_its_correction_goes_on_counting(root: Path) -> None:
    deliver(root, "d2", FILES, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    before = counted(root)
    shutil.rmtree(root / "deliveries" / "clinic" / "d1")
    sites.refreshed(root)
    assert (verdict(root, "d2").word, counted(root)) == ("accepted", before)


def test_withdrawn_counts_no_more_whether_its_folder_stays_or_not(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02")
    sites.refreshed(root)
    site = Site.load(root)
    decide(site, "clinic", "d2", "withdrawn", "sent to us by mistake")
    sites.refreshed(root)
    assert counted(root) == 10
    assert not (site.store / "accepted" / "clinic" / "d2").exists()
    assert sites.refreshed(root).due == []
    decide(site, "clinic", "d2", "accepted", "it was right after all", None)
    sites.refreshed(root)
    assert verdict(root, "d2").word == "accepted"


def test_a_file_changed_in_place_is_a_stated_fault_and_changes_nothing(root: Path) -> None:
    sites.refreshed(root)
    before = current(Site.load(root))
    path = root / "deliveries" / "clinic" / "d1" / "diagnoses.csv"
    times = path.stat()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"I10", b"I11"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    plan = sites.refreshed(root)
    assert plan.due == []
    assert [str(each) for each in plan.faults] == [
        "clinic/d1: changed since it was accepted: diagnoses.csv holds something else; what was accepted "
        "still counts: put the files back, withdraw it, or have it replaced"
    ]
    assert isinstance(plan.faults[0], ContractError)
    assert current(Site.load(root)) == before
    path.write_bytes(content)
    assert sites.refreshed(root).faults == []


# ---- settings are inputs -----------------------------------------------------------------------------------


def reasons(root: Path) -> dict[str, str]:
    return {f"{each.stage} {each.what}".strip(): each.why for each in Plan.of(Site.load(root)).due}


def test_each_setting_that_changes_makes_due_what_it_is_an_input_of(root: Path) -> None:
    assert reasons(root) == {
        "intake clinic/d1": "it is new",
        "linkage": "deliveries come or go",
        "store": "linkage runs",
    }
    sites.refreshed(root)
    assert reasons(root) == {}
    assert Plan.of(Site.load(root)).said() == ["nothing would run: everything is up to date"]

    settings = root / "site.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text + "shards: 2\n", encoding="utf-8")
    assert reasons(root) == {"store": "shards changed"}
    settings.write_text(text + "linkage: linkage.yaml\n", encoding="utf-8")
    (root / "linkage.yaml").write_text("threshold: 20\n", encoding="utf-8")
    assert reasons(root) == {"linkage": "linkage settings changed", "store": "linkage runs"}
    (root / "linkage.yaml").unlink()
    with pytest.raises(SettingsError, match=r"check `linkage` in site\.yaml"):
        reasons(root)
    settings.write_text(text, encoding="utf-8")

    agreed = root / "contracts" / "clinic.yaml"
    agreed.write_text(agreed.read_text(encoding="utf-8").replace("version: 1.0.0", "version: 1.0.1"))
    assert reasons(root)["intake clinic/d1"] == "contract contracts/clinic.yaml changed"
    sites.refreshed(root)
    (root / "receipts" / "intake" / "clinic" / "d1.json").unlink()
    assert reasons(root)["intake clinic/d1"] == "its receipt is gone"
    sites.refreshed(root)
    (root / "receipts" / "store.json").unlink()
    assert reasons(root) == {"store": "it has not run"}


def test_a_stopped_delivery_is_read_again_when_its_contract_was_mended(root: Path) -> None:
    agreed = root / "contracts" / "clinic.yaml"
    good = agreed.read_text(encoding="utf-8")
    agreed.write_text(good.replace("name: end", "name: finish").replace("end: end", "end: finish"))
    sites.refreshed(root)
    assert verdict(root, "d1").word == "stopped"
    agreed.write_text(good, encoding="utf-8")
    sites.refreshed(root)
    assert verdict(root, "d1").word == "accepted"


def test_a_contract_that_does_not_read_keeps_its_source_as_it_was(root: Path) -> None:
    sites.refreshed(root)
    (root / "contracts" / "clinic.yaml").write_text("no: contract\n", encoding="utf-8")
    deliver(root, "d2", FILES, "2025-09-02")
    plan = sites.refreshed(root)
    assert [type(each) for each in plan.faults] == [SettingsError]
    assert plan.due == []
    assert [each.delivery for each in active(Site.load(root))] == ["d1"]


def test_a_copied_site_has_nothing_to_do_whatever_the_times_of_its_files(root: Path) -> None:
    sites.refreshed(root)
    copied = root.parent / "copied"
    shutil.copytree(root, copied, copy_function=shutil.copyfile)
    for path in copied.rglob("*"):
        os.chmod(path, 0o700 if path.is_dir() else 0o600)  # noqa: PTH101
    assert sites.refreshed(copied).due == []


# ---- guards ------------------------------------------------------------------------------------------------

NOTHING = {"patients.csv": PEOPLE, "diagnoses.csv": "id,day,end,code\n"}
ONE_ROW = {"patients.csv": PEOPLE, "diagnoses.csv": "id,day,end,code\n1,2021-02-01,,I10\n"}


@pytest.mark.parametrize(
    ("files", "replaces", "said"),
    [
        (NOTHING, "d1", "diagnoses: 0 rows instead of the 10 that it replaces"),
        (ONE_ROW, "d1", "diagnoses: 1 rows instead of the 10 that it replaces"),
        (FILES, "d0", "it replaces d0, which never came"),
        (FILES, "d2", "it replaces itself"),
        (FILES, "d9", "it replaces d9, which was not delivered before it"),
    ],
)
def test_a_correction_that_would_wipe_or_replace_the_wrong_thing_is_held(
    root: Path, files: dict[str, bytes | str], replaces: str, said: str
) -> None:
    deliver(root, "d9", FILES, "2026-01-01")
    deliver(root, "d2", files, "2025-09-02", replaces=replaces)
    sites.refreshed(root)
    assert verdict(root, "d2").word == "held"
    assert verdict(root, "d2").reason == said
    assert verdict(root, "d1").word == "accepted"
    site = Site.load(root)
    delivery = site.delivery("clinic", "d2")
    decide(site, "clinic", "d2", "accepted", "the sender confirms it", digest_of(site, "d2"))
    sites.refreshed(root)
    assert verdict(root, "d2").word == "accepted"
    # What was accepted is that content, not the name.
    (delivery.root / "diagnoses.csv").write_text(GOOD.replace("I10", "I12"), encoding="utf-8")
    assert [type(each) for each in Plan.of(site).faults] == [ContractError]


def digest_of(site: Site, name: str) -> str:
    from pipelines.files.digests import digest

    return digest(contents(site, site.delivery("clinic", name)))


def test_of_two_corrections_of_one_the_second_is_held(root: Path) -> None:
    deliver(root, "d2", FILES, "2025-09-02", replaces="d1")
    deliver(root, "d3", FILES, "2025-09-03", replaces="d1")
    deliver(root, "d4", FILES, "2025-09-04", replaces="d2")
    sites.refreshed(root)
    words = {each.receipt["delivery"]: each.word for each in verdicts(Site.load(root))}
    assert words == {"d1": "replaced", "d2": "replaced", "d3": "held", "d4": "accepted"}
    assert "as d2 does already" in (verdict(root, "d3").reason or "")


def test_a_correction_that_moves_dates_and_loses_people_is_told(root: Path) -> None:
    moved = GOOD.replace("2021-02-0", "2021-03-0")
    people = "\n".join(PEOPLE.splitlines()[:2]) + "\n"
    deliver(root, "d2", {"patients.csv": people, "diagnoses.csv": moved}, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    found = verdict(root, "d2")
    assert found.receipt["compared"] == {
        "with": "d1",
        "records": 2,
        "lost_records": 1,
        "events": 10,
        "moved_dates": 9,
    }
    assert found.word == "accepted"
    assert [each.guard for each in found.findings] == ["lost_records", "moved_dates"]


def test_a_delivery_of_another_size_than_usual_is_told_and_stopped_where_the_contract_says_so(
    root: Path,
) -> None:
    for number in (2, 3):
        deliver(root, f"d{number}", FILES, f"2025-09-0{number}")
    deliver(root, "d4", ONE_ROW, "2025-09-04")
    deliver(root, "d5", NOTHING, "2025-09-05")
    sites.refreshed(root)
    assert [each.text for each in verdict(root, "d4").findings] == ["diagnoses: 1 rows, where 10 are usual"]
    assert [each.text for each in verdict(root, "d5").findings] == ["diagnoses: no row, where 10 are usual"]
    strict = contract(PATIENTS, DIAGNOSES, guards={"volume": {"then": "stop"}, "empty": {"then": "off"}})
    (root / "contracts" / "clinic.yaml").write_text(yaml.safe_dump(strict), encoding="utf-8")
    sites.refreshed(root)
    assert [each.word for each in verdicts(Site.load(root))] == ["accepted"] * 3 + ["held"] * 2


def test_the_verdicts_do_not_depend_on_the_nights(root: Path) -> None:
    deliver(root, "d2", NOTHING, "2025-09-02", replaces="d1")
    deliver(root, "d3", FILES, "2025-09-03")
    sites.refreshed(root)
    deliver(root, "d4", FILES, "2025-09-04", replaces="d3")
    sites.refreshed(root)
    fresh = root.parent / "fresh"
    for name in ("contracts", "deliveries", "keys"):
        shutil.copytree(root / name, fresh / name)
    shutil.copy(root / "site.yaml", fresh / "site.yaml")
    sites.refreshed(fresh)
    ours, theirs = (verdicts(Site.load(each)) for each in (root, fresh))
    assert [(each.title, each.word, each.reason) for each in ours] == [
        (each.title, each.word, each.reason) for each in theirs
    ]
    assert current(Site.load(root)) == current(Site.load(fresh))


# ---- the commands, as processes ----------------------------------------------------------------------------


def test_a_night_with_bad_neighbours_ends_with_11_and_the_good_ones_are_in(root: Path) -> None:
    deliver(root, "2025-10-02$(touch pwned)", FILES, "2025-10-02")
    (deliver(root, "d2", FILES, "2025-09-02") / "delivery.yaml").write_text("", encoding="utf-8")
    deliver(root, "d3", NOTHING, "2025-09-03", replaces="d1")
    ran = sites.uttag("night", root, check=False, cwd=root)
    assert ran.returncode == 11
    assert "(and 2 more, see uttag status)" in ran.stderr
    assert not list(root.rglob("pwned"))
    assert counted(root) == 10
    assert documents.read_object(root / "receipts" / "store.json")["snapshot"]
    said = sites.uttag("refresh", root, "--dry-run").stdout
    assert said == "nothing would run: everything is up to date\n"


def test_a_folder_that_may_not_be_written_is_told_as_that(root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    (root / "receipts").mkdir(mode=0o500)
    ran = sites.uttag("refresh", root, check=False)
    assert ran.returncode == 20
    assert "look at its owner and mode" in ran.stderr


def test_a_read_only_file_system_is_no_fault_in_the_program(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def refused(*_arguments: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(root / "runs"))

    monkeypatch.setattr("workflows.run.run_lock", refused)
    ran = sites.called("refresh", root, check=False)
    assert ran.returncode == 20
    assert ran.stderr.endswith("lies on a read-only file system; mount it to be written, or move the site\n")


def test_a_guard_is_off_however_yaml_reads_the_word(tmp_path: Path) -> None:
    """Without quotes YAML takes off for false, as people write it."""
    (tmp_path / "guards.yaml").write_text("volume: {then: off}\nfreshness: {then: 'off'}\n", encoding="utf-8")
    guards = load_yaml(tmp_path / "guards.yaml", Guards)
    assert (guards.volume.then, guards.freshness.then) == ("off", "off")


def test_the_quality_report_shows_what_guards_found_beside_earlier_deliveries(root: Path) -> None:
    from pipelines.intake.quality import write_reports

    deliver(root, "d2", ONE_ROW, "2025-09-02", replaces="d1")
    sites.refreshed(root)
    site = Site.load(root)
    write_reports(site, verdicts(site))
    text = (root / "receipts" / "intake" / "clinic" / "d2.md").read_text(encoding="utf-8")
    assert "| shrinking | stop | diagnoses: 1 rows instead of the 10 that it replaces |" in text
    assert [line.split()[-2:] for line in text.splitlines() if "█" in line] == [
        ["12", "accepted"],
        ["3", "held"],
    ]


def test_a_late_source_and_one_whose_records_are_linked_to_no_other_are_told(root: Path) -> None:
    agreed = contract(PATIENTS, DIAGNOSES, guards={"freshness": {"days": 30}, "unlinked": {"most": 0.1}})
    (root / "contracts" / "clinic.yaml").write_text(yaml.safe_dump(agreed), encoding="utf-8")
    sites.refreshed(root)
    site = Site.load(root)
    late = "clinic is late: its last delivery is 31 days old, 30 are borne"
    (state,) = states(site, verdicts(site), date(2025, 10, 2))
    assert list(state.warnings()) == [late]  # of one source, no record has another to be linked to
    (state,) = states(site, verdicts(site), date(2025, 10, 1))
    assert not state.late

    other = deliver(root, "d2", FILES, "2025-09-01")
    (root / "deliveries" / "ward").mkdir()
    other = other.rename(root / "deliveries" / "ward" / "d2")
    _swap("source: clinic", "source: ward")(other / "delivery.yaml")
    with (root / "site.yaml").open("a", encoding="utf-8") as settings:
        settings.write("  ward: {contract: contracts/clinic.yaml}\n")
    (other / "patients.csv").write_text("id,number,name,sex,born\n7,,Alm,M,1964-08-23\n", encoding="utf-8")
    (other / "diagnoses.csv").write_text(GOOD.replace("\n1,", "\n7,"), encoding="utf-8")
    sites.refreshed(root)
    site = Site.load(root)
    told = [list(each.warnings()) for each in states(site, verdicts(site), date(2025, 9, 2))]
    assert told == [
        ["clinic: 100% of its records are linked to no other, 10% are borne"],
        ["ward: 100% of its records are linked to no other, 10% are borne"],
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [("", "is no reason"), ("a\nb", "is no reason"), ("19640823-3234 asked", "identity number")],
)
def test_a_reason_is_a_line_without_numbers_of_people(root: Path, reason: str, said: str) -> None:
    ran = sites.called("withdraw-delivery", "clinic/d1", "--reason", reason, "--site", root, check=False)
    assert ran.returncode == 10
    assert said in ran.stderr
    assert "19640823" not in ran.stderr


def test_only_what_is_there_is_withdrawn_and_only_what_is_held_accepted(root: Path) -> None:
    sites.refreshed(root)
    for command, delivery, said in (
        ("withdraw-delivery", "clinic/d7", "is no delivery of this site"),
        ("accept-delivery", "clinic/d1", "is accepted: no guard holds it"),
    ):
        ran = sites.called(command, delivery, "--reason", "so", "--site", root, check=False)
        assert (ran.returncode, said in ran.stderr) == (10, True)


def test_a_night_is_told_to_whom_the_site_says(root: Path) -> None:
    told = root.parent / "told"
    program = root.parent / "tell"
    program.write_text(
        f'#!/bin/sh\n{{ echo "$1"; cat; echo "$UTTAG_REPORT_PAGE"; }} > {told}\n', encoding="utf-8"
    )
    program.chmod(0o700)
    with (root / "site.yaml").open("a", encoding="utf-8") as settings:
        settings.write(f"notify: {{command: [{program}, 'a word'], when: trouble}}\n")
    sites.called("night", root)
    assert not told.exists()
    deliver(root, "d2", NOTHING, "2025-09-02", replaces="d1")
    sites.called("night", root, check=False)
    lines = told.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "a word"
    assert "clinic/d2: held" in lines
    assert Path(lines[-1]).read_text(encoding="utf-8").startswith("<!doctype html>")
    program.unlink()
    ran = sites.called("night", root, check=False)
    assert ran.returncode == 11
    assert "notify: " in ran.stderr


def test_a_site_where_nothing_counts_yet_has_a_quiet_night(root: Path) -> None:
    (root / "deliveries" / "clinic" / "d1" / "delivery.yaml").write_text("", encoding="utf-8")
    assert sites.called("night", root, check=False).returncode == 11
    shutil.rmtree(root / "deliveries" / "clinic" / "d1")
    assert sites.called("night", root, check=False).returncode == 0
    assert json.loads(sites.called("status", root, "--json").stdout)["snapshot"] is None


def test_the_last_delivery_may_be_withdrawn(root: Path) -> None:
    deliver(root, "d2", OTHERS, "2025-09-02")
    sites.refreshed(root)
    for name in ("d1", "d2"):
        decide(Site.load(root), "clinic", name, "withdrawn", "the source has left")
    sites.refreshed(root)
    assert counted(root) == 0
    assert Snapshot.load(Site.load(root)).deliveries == ()
    assert sites.refreshed(root).due == []


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_an_hour_off_changes_nothing(root: Path, hours: int) -> None:
    sites.refreshed(root)
    for path in [*(root / "receipts").rglob("*.json"), *(root / "runs").rglob("*")]:
        then = path.stat().st_mtime_ns + hours * 3_600_000_000_000
        os.utime(path, ns=(then, then))
    assert Plan.of(Site.load(root)).due == []
    shutil.rmtree(root / "runs")  # nothing in it is needed
    with (root / "site.yaml").open("a", encoding="utf-8") as settings:
        settings.write("shards: 3\n")
    sites.uttag("refresh", root)
    assert len(Snapshot.load(Site.load(root)).shards) == 3
    assert sites.stages_begun(root, "refresh") == ["store"]
    assert sites.uttag("refresh", root, "--dry-run").stdout.startswith("nothing would run")


def test_plain_snakemake_does_what_it_is_told_to(root: Path) -> None:
    command = sites.uttag("refresh", root, "--prepare").stdout
    assert not (root / "receipts").exists()
    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, timeout=300)
    assert counted(root) == 10
    assert sites.uttag("refresh", root, "--prepare").stdout.startswith("nothing would run")


def test_a_folder_of_no_source_is_told(root: Path) -> None:
    (root / "deliveries" / "hosptial").mkdir()
    sites.refreshed(root)
    said = "deliveries/hosptial: no source of that name is in site.yaml, so that nothing in it is read"
    assert Plan.of(Site.load(root)).said() == [f"waits: {said}"]
    assert json.loads(sites.called("status", root, "--json").stdout)["waits"] == [said]
    ran = sites.called("check", root, check=False)
    assert ran.returncode == 10
    assert "is the folder of no source in site.yaml; add the source, or move the folder away" in ran.stderr
    assert sites.called("night", root).returncode == 0


def test_what_a_killed_process_was_writing_goes_with_the_next_run(root: Path) -> None:
    part = root / "receipts" / "intake" / "clinic" / ".d1.md.abc.part"
    part.parent.mkdir(parents=True)
    part.touch()
    sites.uttag("refresh", root)
    assert not part.exists()
    assert verdict(root, "d1").word == "accepted"
