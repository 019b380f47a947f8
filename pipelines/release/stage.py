"""The gate: what the verifier has found safe is bundled, signed and published; nothing else ever is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines import verifier
from pipelines.cubes.cube import Cube, ProtectedCube
from pipelines.cubes.design_effects import hidden_times, told
from pipelines.cubes.figures import read_figures
from pipelines.cubes.files import read_cubes, read_protected
from pipelines.cubes.policy import Policy
from pipelines.errors import VerificationError
from pipelines.files import described, documents, sealed
from pipelines.files.digests import file_digest
from pipelines.files.frames import Frame, array
from pipelines.files.schemas import Schema
from pipelines.files.sealing import Zone
from pipelines.release.bundle import build_bundle
from pipelines.release.case import CaseInfo
from pipelines.release.keyed import audit_keyed
from pipelines.release.publish import latest, publish, write_index
from pipelines.site import signing
from pipelines.site.project import Project
from pipelines.verifier.tables import Axis, PublishedTable

CERTIFICATE: Final[Schema] = {"move": "int32", "table": "int32", "cell": "int32", "change": "int32"}


def release(project: Project, goes_out: Callable[[], None]) -> dict[str, Any]:
    """Verify, bundle, sign and publish the tables of a run. The receipt says where they lie. `goes_out`: is
    called before anybody can see a new version."""
    permit = project.permit
    if project.held:
        return _stands(project)
    case = CaseInfo(
        case=permit.permit,
        title=permit.title,
        holder=permit.holder,
        purpose=permit.purpose,
        valid_to=permit.valid_to.isoformat(),
        policy=permit.policy,
        permit_sha256=hashlib.sha256(permit.payload).hexdigest(),
        definition=project.definition.sentences(),
    )
    site = project.site
    secret = site.zone("memory").derived if permit.cell_keys else None
    return release_files(
        case,
        project.folder,
        site.release,
        site.keys / "release.ed25519",
        project.zone,
        site.site,
        secret,
        goes_out,
    )


def release_files(
    case: CaseInfo,
    run: Path,
    released: Path,
    signing_key: Path,
    zone: Zone,
    site: str,
    secret: Callable[[str], bytes] | None = None,
    goes_out: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Release what a run has protected. Raises `VerificationError`, with nothing written, unless every claim
    holds and every description is the one that was sealed with what it describes. `secret`: of a purpose, the
    site's key, where cell keys change the numbers; else None.

    The receipt says `held` where the latest version stands, because this one beside an earlier one would tell
    of few people.
    """
    cubes = read_protected(run / "protected", zone)
    raw, certified = read_cubes(run / "raw", zone), run / "proof" / "certificate.parquet"
    proof = documents.read_object(run / "proof" / "proof.json", "policy", "tables")
    if secret is not None:
        _require(audit_keyed(run, raw, cubes, case.policy.minimum, zone, secret), "release")
        described.check(proof, run / "proof" / "proof.json", run / "proof" / "transitions.parquet", zone)
    else:
        certificate = sealed.read(certified, CERTIFICATE, zone)
        _require(audit(raw, cubes, certificate, case.policy, proof), "release")
        described.check(proof, run / "proof" / "proof.json", certified, zone)
        _require(_of_proof(proof, cubes, case.policy), "release")
    figures = [read_figures(run / "measures", cube.table, zone) for cube in cubes]
    public = signing.public_key(signing_key)
    place, held = publish(
        released,
        case.case,
        build=lambda folder: build_bundle(case, cubes, figures, proof, signing_key, folder),
        check=lambda folder: _require(verifier.verify_bundle(folder, public), "release"),
        tells=lambda new, old: _tells_of_few(new, old, case.policy.minimum),
        goes_out=goes_out,
    )
    return _receipt(place, released, site, held)


def _stands(project: Project) -> dict[str, Any]:
    """The receipt where the latest version is left as it is."""
    site = project.site
    return _receipt(latest(site, project.permit.permit), site.release, site.site, True)


def _receipt(place: Path, released: Path, site: str, held: bool) -> dict[str, Any]:
    write_index(released, site)
    manifest = file_digest(place / "manifest.json")
    return {
        "bundle": place.relative_to(released).as_posix(),
        "version": int(place.name),
        "manifest": manifest,
        "held": held,
    }


def _public(policy: Policy, proof: Mapping[str, Any] | None) -> dict[str, Any]:
    """The policy, with its structural zeros by the codes of the tables."""
    return policy.model_dump(mode="json") | {"structural_zeros": (proof or {}).get("structural_zeros", [])}


def _of_proof(proof: dict[str, Any], cubes: Sequence[ProtectedCube], policy: Policy) -> list[verifier.Claim]:
    tables = [{"table": cube.table, "cells": cube.cells, "hidden": int(cube.hidden.sum())} for cube in cubes]
    return [
        verifier.Claim(
            "the proof is of the permit's policy", proof["policy"] == policy.model_dump(mode="json")
        ),
        verifier.Claim("the proof is of these tables", proof["tables"] == tables),
    ]


def audit(
    raw: Sequence[Cube],
    cubes: Sequence[ProtectedCube],
    certificate: Frame,
    policy: Policy,
    proof: Mapping[str, Any] | None = None,
) -> list[verifier.Claim]:
    """What the verifier finds of the raw numbers, the pattern and the certificate."""
    alike = [_said(cube) for cube in raw] == [_said(cube) for cube in cubes]
    same = alike and all(
        np.array_equal(np.where(cube.hidden, 0, true.measures[name]), cube.measures[name])
        for true, cube in zip(raw, cubes, strict=True)
        for name in true.measures
    )
    gone = hidden_times(raw, [cube.hidden for cube in cubes]) if same else []
    same = same and all(
        _alike(told(true, cube.hidden, time), cube.design_effects)
        for true, cube, time in zip(raw, cubes, gone, strict=True)
    )
    moves = tuple(array(certificate, name).astype(np.int64) for name in CERTIFICATE)
    tables = [_table(true, cube.hidden) for true, cube in zip(raw, cubes, strict=True)] if same else []
    found = (
        verifier.audit(tables, (moves[0], moves[1], moves[2], moves[3]), _public(policy, proof))
        if same
        else []
    )
    return [
        verifier.Claim(
            "the protected tables are the counted ones, but for what is hidden", same or not alike
        ),
        verifier.Claim("the protected tables are called and laid out as the counted ones", alike),
        *found,
    ]


def _said(cube: Cube | ProtectedCube) -> tuple[object, ...]:
    """All that is said of a cube's numbers."""
    return (
        cube.table,
        cube.title,
        cube.population,
        cube.dimensions,
        list(cube.measures),
        cube.additive,
        cube.at_least,
        cube.notes,
    )


def _alike(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def _table(cube: Cube, hidden: np.ndarray) -> PublishedTable:
    axes = tuple(Axis(each.name, each.codes, each.parents) for each in cube.dimensions)
    return PublishedTable(
        cube.table, cube.population, axes, cube.measures, hidden, cube.additive, cube.at_least
    )


def _tells_of_few(new: Path, old: Path, minimum: int) -> bool:
    try:
        together = all("remembered" in documents.read_object(each / "proof.json") for each in (new, old))
        return verifier.tells_of_few(new, old, minimum, together)
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        then = (
            "restore it from a copy; without it a new version cannot be compared with it, and is not released"
        )
        raise VerificationError(old, "an earlier version cannot be read", then) from None


def _require(claims: Sequence[verifier.Claim], where: str) -> None:
    for claim in claims:
        if not claim.holds:
            raise VerificationError(
                where, f"this does not hold: {claim.text}", "nothing has been released; run the permit again"
            )
