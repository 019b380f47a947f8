"""What a sender calls a folder and says of it: what is wrong with one is said of that one, and the others go
through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.site.acceptance import verdicts
from pipelines.site.site import Site
from tests import sites
from tests.delivered import FILES, as_pipe, counted, swapped, verdict
from tests.intake_site import deliver
from workflows.plan import Plan


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


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _write(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write


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
        (swapped("source:", "root: /etc\nsource:"), "root: is not known here"),
        (swapped("source:", "sauce: x\nsource:"), "sauce: is not known here"),
        (swapped("source:", "1: x\nsource:"), "is a name that is no text"),
        (swapped("'2025-09-01'", "2025-02-30"), "a date or number that there is not"),
        (swapped("delivery: d2", "delivery: d1"), "names another source or delivery"),
        (swapped("- patients.csv", "- /etc/passwd"), "outside the delivery's folder"),
        (swapped("- patients.csv", "- ../d1/patients.csv"), "outside the delivery's folder"),
        (swapped("- patients.csv", "- patients.csv\n  - patients.csv"), "named twice"),
        (swapped("- patients.csv", '- "a\\nb.csv"'), "cannot be one"),
        (swapped("patients:", '"\\e[2J":'), "names a table that cannot be one"),
        (swapped("source:", '"19640823-3234\\n": x\nsource:'), "a key that is none"),
        (swapped("source:", "replaces: $(x)\nsource:"), "is no name of a delivery"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is not UTF-8"),
        (as_pipe, "is not a file"),
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
