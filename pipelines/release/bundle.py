"""A bundle: every file of a finished case, named and hashed in a signed manifest. It holds no time, so it comes out the same again."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pipelines import signing, storage
from pipelines.cubes import ProtectedCube
from pipelines.errors import DataError
from pipelines.figures import Figures
from pipelines.permit import Permit
from pipelines.release import pages, tables
from pipelines.release.tables import Rows
from pipelines.site import Site

MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "release.pub"


@dataclass(frozen=True)
class Content:
    """What goes into a bundle: nothing but what is protected, and what the permit and the definition say."""

    permit: Permit
    cohort_title: str
    cubes: tuple[ProtectedCube, ...]
    figures: tuple[Figures, ...]
    proof: dict[str, Any]


def write_bundle(content: Content, signing_key: Path, out: Path) -> None:
    """Write every file of the bundle into the empty folder `out`, the signed manifest last."""
    for folder in ("tables", "plots"):
        (out / folder).mkdir(mode=0o700)
    all_rows: list[Rows] = []
    for cube, figures in zip(content.cubes, content.figures, strict=True):
        rows = tables.rows_of(cube, figures)
        all_rows.append(rows)
        _write_table(content, cube, figures, rows, out)
    _json(out / "tables.json", [_described(cube, figures) for cube, figures in zip(content.cubes, content.figures, strict=True)])
    _json(out / "proof.json", content.proof)
    (out / "data-dictionary.csv").write_text(_dictionary(content), encoding="utf-8")
    (out / "method.md").write_text(pages.method_note(content.permit, content.cohort_title, content.proof), encoding="utf-8")
    page = pages.bundle_page(content.permit, content.cohort_title, content.cubes, content.figures, all_rows, content.proof)
    (out / "index.html").write_text(page, encoding="utf-8")
    _sign(content.permit, signing_key, out)


def _write_table(content: Content, cube: ProtectedCube, figures: Figures, rows: Rows, out: Path) -> None:
    path = out / "tables" / cube.table
    tables.write_csv(rows, path.with_suffix(".csv"))
    tables.write_parquet(rows, path.with_suffix(".parquet"))
    notes = [("table", cube.title), ("permit", content.permit.title), ("cohort", content.cohort_title)]
    notes += [*cube.notes.items(), *figures.meanings.items(), ("status", pages.HIDDEN_MEANS)]
    tables.write_xlsx(rows, notes, path.with_suffix(".xlsx"))
    plot = out / "plots" / cube.table
    plot.with_suffix(".svg").write_text(figures.plot.svg, encoding="utf-8")
    data = figures.plot.data
    tables.write_csv(Rows(tuple(data), (str,) * len(data), list(zip(*data.values(), strict=True))), plot.with_suffix(".csv"))


def _described(cube: ProtectedCube, figures: Figures) -> dict[str, Any]:
    """How the cells of a table hang together: what the verifier needs to attack it."""
    names = ("name", "title", "codes", "labels", "parents", "levels")
    return {
        "table": cube.table, "title": cube.title, "population": cube.population,
        "dimensions": [{name: getattr(dimension, name) for name in names} for dimension in cube.dimensions],
        "measures": list(cube.measures), "additive": cube.additive, "at_least": cube.at_least, "figures": list(figures.columns),
    }  # fmt: skip


def _dictionary(content: Content) -> str:
    """Each column of each table, in words."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", "column", "kind", "meaning"])
    for cube, figures in zip(content.cubes, content.figures, strict=True):
        for dimension in cube.dimensions:
            levels = " > ".join(dimension.levels)
            writer.writerow([cube.table, dimension.name, "dimension", f"{dimension.title}, in words; levels: {levels}"])
            writer.writerow([cube.table, f"{dimension.name}_code", "dimension", f"{dimension.title}, as a code; empty for the total"])
        writer.writerows([cube.table, name, "count", cube.notes.get(name, name)] for name in cube.measures)
        writer.writerows([cube.table, name, "derived", meaning] for name, meaning in figures.meanings.items())
        writer.writerow([cube.table, "status", "mark", pages.HIDDEN_MEANS])
    return text.getvalue()


def _sign(permit: Permit, signing_key: Path, out: Path) -> None:
    files = sorted(path for path in out.rglob("*") if path.is_file())
    manifest = {
        "case": permit.permit, "title": permit.title, "policy": permit.policy.model_dump(mode="json"),
        "permit": storage.file_digest(permit.file), "software": f"uttag {metadata.version('uttag')}",
        "files": {path.relative_to(out).as_posix(): storage.file_digest(path) for path in files},
    }  # fmt: skip
    _json(out / MANIFEST, manifest)
    (out / SIGNATURE).write_text(signing.sign(signing_key, (out / MANIFEST).read_bytes()).hex() + "\n", encoding="ascii")
    (out / PUBLIC_KEY).write_text(signing.public_key(signing_key).hex() + "\n", encoding="ascii")


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


# ---- versions of a case -----------------------------------------------------------------------------------------------------


def versions(site: Site, case: str) -> list[Path]:
    """Bundles of a case, oldest first: `release/<case>/1`, `2` …"""
    folder = site.release / case
    found = [path for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name))


def latest(site: Site, case: str) -> Path:
    """The newest bundle of a case."""
    if not (found := versions(site, case)):
        raise DataError(site.release / case, "nothing has been released", "run the permit: uttag run --help")
    return found[-1]
