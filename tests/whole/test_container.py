"""The image: its recipe always, the image itself where it is asked for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINERS = ROOT / "containers"
DEFINITION = (CONTAINERS / "uttag.def").read_text(encoding="utf-8")
ASKED = os.environ.get("UTTAG_TEST_CONTAINER") == "1"
TOOLS = all(shutil.which(tool) for tool in ("mmdebstrap", "ch-run"))
TWO_RANKS = (
    "from mpi4py.MPI import COMM_WORLD as all; n = all.allreduce(1); print(n) if all.rank == 0 else None"
)


def sections() -> dict[str, str]:
    """Each section of the Apptainer definition, and what stands before the first."""
    parts = re.split(r"^%(\w+).*$", DEFINITION, flags=re.MULTILINE)
    return {"header": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def test_the_definition_has_each_section_and_uses_the_recipe() -> None:
    found = sections()
    assert list(found) == ["header", "setup", "post", "environment", "runscript", "test"]
    assert "OSVersion: bookworm" in found["header"]
    assert "sh /src/recipe" in found["post"]
    assert "rm -rf /src" in found["post"]
    assert "sh /src/recipe" in (CONTAINERS / "build").read_text(encoding="utf-8")


def test_what_the_definition_copies_is_there() -> None:
    copied = re.findall(r"cp (?:-r )?(.+) \"\$\{APPTAINER_ROOTFS\}", sections()["setup"])
    assert [name for names in copied for name in names.split() if not (ROOT / name).exists()] == []
    assert {"workflows", "pipelines", "kernels", "slurm"} <= set(" ".join(copied).split())


def test_the_recipe_takes_what_is_locked_and_nothing_else() -> None:
    installs = [
        line
        for line in (CONTAINERS / "recipe").read_text(encoding="utf-8").splitlines()
        if "pip install" in line
    ]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


@pytest.mark.parametrize("name", ["uttag.def", "build", "recipe"])
def test_no_host_is_named(name: str) -> None:
    text = (CONTAINERS / name).read_text(encoding="utf-8")
    assert re.findall(r"\w+://|\b[\w-]+\.(?:com|org|net|io|se|eu)\b", text) == []


@pytest.mark.parametrize("name", ["build", "recipe"])
def test_the_scripts_are_well_formed(name: str) -> None:
    shell = "bash" if name == "build" else "sh"
    assert subprocess.run([shell, "-n", CONTAINERS / name], capture_output=True, check=False).returncode == 0


def test_the_build_touches_no_folder_that_is_there(tmp_path: Path) -> None:
    ran = subprocess.run([CONTAINERS / "build", tmp_path], capture_output=True, text=True, check=False)
    assert ran.returncode == 10
    assert "is there already" in ran.stderr


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not ASKED:
        pytest.skip("building the image takes minutes; set UTTAG_TEST_CONTAINER=1")
    if not TOOLS:
        pytest.skip("mmdebstrap and charliecloud are not on this machine")
    folder = tmp_path_factory.mktemp("image") / "uttag"
    subprocess.run([CONTAINERS / "build", folder], check=True)
    return folder


def inside(image: Path, *command: str) -> str:
    """What a command says inside the image, with nothing but what a batch job has in its environment."""
    bare = {"PATH": os.environ["PATH"], "USER": "someone", "HOME": str(Path.home())}
    return subprocess.run(
        ["ch-run", image, "--", *command], env=bare, capture_output=True, text=True, timeout=600, check=True
    ).stdout


def test_the_image_runs_unprivileged_with_two_ranks(image: Path) -> None:
    assert "Usage: uttag" in inside(image, "/opt/uttag/bin/uttag", "--help")
    assert "ok  mpiexec: 2 ranks answered of 2" in inside(image, "/opt/uttag/bin/uttag", "doctor")
    ranks = inside(
        image,
        "/opt/uttag/bin/mpiexec",
        "-launcher",
        "fork",
        "-n",
        "2",
        "/opt/uttag/bin/python",
        "-c",
        TWO_RANKS,
    )
    assert ranks.split() == ["2"]


def test_nothing_of_the_build_stays_in_the_image(image: Path) -> None:
    assert [name for name in ("src", "etc/resolv.conf", "root/.cache") if (image / name).exists()] == []


def test_the_image_goes_the_whole_way(image: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    bound = ["/opt/uttag/bin/uttag", "demo", "--people", "500", "--nights", "1", "--out", str(site)]
    assert "report: " in inside(image, *bound)
    assert list((site / "release").rglob("manifest.json"))
