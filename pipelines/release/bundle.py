"""Building a bundle: every file of a release, in a folder that nobody sees yet."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pipelines.cubes.cube import CONTROLS_OF, RATIO, ProtectedCube
from pipelines.cubes.figures import Columns, Figures
from pipelines.files import documents, plain
from pipelines.files.digests import file_digest
from pipelines.release.case import CaseInfo
from pipelines.release.pages import bundle_page, method_note
from pipelines.release.rows import Header, Row, code_of, rows_of
from pipelines.release.words import data_dictionary, notes_of
from pipelines.site import signing


def build_bundle(
    case: CaseInfo,
    cubes: Sequence[ProtectedCube],
    figures: Sequence[Figures],
    proof: dict[str, Any],
    signing_key: Path,
    folder: Path,
) -> None:
    """Write every file of the bundle to the empty `folder`; the manifest, which names all others, last."""
    for name in ("tables", "figures", "plots"):
        (folder / name).mkdir(mode=0o777)
    tables = [rows_of(cube) for cube in cubes]
    for cube, each, (header, rows) in zip(cubes, figures, tables, strict=True):
        _write_table(case, cube, header, rows, folder / "tables")
        _write_figures(cube, each, header, rows, folder)
    plain.write_csv(plain.columns_of(*data_dictionary(cubes, figures)), folder / "data-dictionary.csv")
    (folder / "method.md").write_text(method_note(case, cubes, proof), encoding="utf-8")
    _json(proof, folder / "proof.json")
    _json({"tables": [_structure(cube) for cube in cubes]}, folder / "structure.json")
    page = bundle_page(case, list(zip(cubes, figures, tables, strict=True)), proof)
    (folder / "index.html").write_text(page, encoding="utf-8")
    _seal(case, signing_key, folder)


def _write_table(case: CaseInfo, cube: ProtectedCube, header: Header, rows: list[Row], folder: Path) -> None:
    columns = plain.columns_of(header, rows)
    plain.write_csv(columns, folder / f"{cube.table}.csv")
    plain.write_parquet(columns, folder / f"{cube.table}.parquet")
    notes = [case.title, cube.title, *notes_of(cube, case.policy)]
    plain.write_xlsx(columns, notes, folder / f"{cube.table}.xlsx")


def _write_figures(
    cube: ProtectedCube, figures: Figures, header: Header, rows: list[Row], folder: Path
) -> None:
    codes = 2 * len(cube.dimensions)
    cells = plain.columns_of(header[:codes], [row[:codes] for row in rows])
    plain.write_csv({**cells, **_listed(figures.columns)}, folder / "figures" / f"{cube.table}.csv")
    plain.write_csv(_listed(figures.plot.data), folder / "plots" / f"{cube.table}.csv")
    (folder / "plots" / f"{cube.table}.svg").write_text(figures.plot.svg, encoding="utf-8")
    said = {"title": figures.plot.title, "description": figures.plot.alt, "notes": list(figures.notes)}
    _json(said, folder / "plots" / f"{cube.table}.json")


def _listed(columns: Columns) -> plain.Columns:
    return {name: list(texts) for name, texts in columns.items()}


def _structure(cube: ProtectedCube) -> dict[str, Any]:
    """What a verifier has to know of a table besides its numbers."""
    return {
        "table": cube.table,
        "title": cube.title,
        "population": cube.population,
        "measures": list(cube.measures),
        "additive": {name: list(flags) for name, flags in cube.additive.items()},
        "at_least": [list(pair) for pair in cube.at_least],
        "dimensions": [
            {
                "name": each.name,
                "title": each.title,
                "codes": [code_of(code) for code in each.codes],
                "labels": list(map(plain.harmless, each.labels)),
                "parents": list(each.parents),
            }
            for each in cube.dimensions
        ],
        **(
            {"controls": {"of": cube.notes[CONTROLS_OF], "ratio": int(cube.notes[RATIO])}}
            if CONTROLS_OF in cube.notes
            else {}
        ),
        **({"perturbed": cube.perturbed.public()} if cube.perturbed else {}),
    }


def _seal(case: CaseInfo, signing_key: Path, folder: Path) -> None:
    """Name every file with its hash, and sign that. No date and no run: the same tables give the same
    bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "case": case.case,
        "title": case.title,
        "holder": case.holder,
        "permit_sha256": case.permit_sha256,
        "valid_to": case.valid_to,
        "policy": case.policy.model_dump(mode="json"),
        "software": {"name": "uttag", "version": metadata.version("uttag")},
        "files": {path.relative_to(folder).as_posix(): file_digest(path) for path in files},
    }
    _json(manifest, folder / "manifest.json")
    signature = signing.sign(signing_key, (folder / "manifest.json").read_bytes())
    (folder / "manifest.sig").write_text(signature.hex() + "\n", encoding="ascii")
    (folder / "release.pub").write_text(signing.public_key(signing_key).hex() + "\n", encoding="ascii")


def _json(value: object, path: Path) -> None:
    path.write_bytes(documents.canonical_json(value) + b"\n")
