"""A permit: who may learn what, from which sources, until when, signed by the owner of each source."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from pipelines.cubes.perturbation import CellKeys, Suppression
from pipelines.cubes.policy import Policy
from pipelines.errors import PermitError, SettingsError
from pipelines.files import documents
from pipelines.files.digests import file_digest
from pipelines.files.yaml import Strict, load_yaml
from pipelines.site import signing
from pipelines.site.calendar import DEFAULT, Every, ReleaseCalendar
from pipelines.site.site import Site
from pipelines.study.definition import files
from pipelines.study.side_by_side import together
from pipelines.study.table import NAME, Table

__all__ = ["Permit", "Table", "require", "sign", "signed_by"]


class Permit(Strict):
    """What a permit file says. `file`: where it lies. `method`: how its tables are protected, by its name or
    by its name as `kind` with its settings; cell keys where the permit is standing, else suppression.
    `standing`: rerun by the night when the registers change, so that a new version goes out each month, or as
    often as it says under `every`."""

    file: Path
    permit: str
    title: str
    holder: str
    purpose: str
    legal_basis: str
    valid_from: date
    valid_to: date
    sources: tuple[str, ...] = Field(min_length=1)
    cohort: str  # definition file, relative to the site
    tables: tuple[Table, ...] = Field(min_length=1)
    policy: Policy = Policy()
    method: Annotated[Suppression | CellKeys, Field(discriminator="kind")] | None = None
    standing: bool | ReleaseCalendar = False

    @field_validator("permit")
    @classmethod
    def _name(cls, name: str) -> str:
        if not NAME.match(name):
            raise ValueError("is not a name of lower-case letters, digits and hyphens")
        return name

    @field_validator("method", mode="before")
    @classmethod
    def _named(cls, method: Any) -> Any:
        return {"kind": method} if isinstance(method, str) else method

    @model_validator(mode="after")
    def _keeps(self) -> Permit:
        if self.cell_keys is None:
            return self
        if self.cell_keys.largest(self.policy.minimum) < self.policy.minimum:
            raise ValueError(
                "by cell keys a small count could not get past those that are never shown: let `most` be no "
                "less than the policy's `minimum`"
            )
        if any(table.controls for table in self.tables):
            raise ValueError(
                "cell keys change the number of controls for itself, so that it tells the number of cases "
                "better than is meant: leave `controls` out, or say `method: suppression`"
            )
        default = Policy()
        for name in self.policy.model_fields_set - {"minimum", "zeros"}:
            if getattr(self.policy, name) != getattr(default, name):
                raise ValueError(
                    f"cell keys keep the policy's `minimum` alone: leave `{name}` out, or say `method: "
                    "suppression`"
                )
        return self

    @property
    def every(self) -> Every:
        """How often a standing permit's tables go out anew."""
        return self.standing.every if isinstance(self.standing, ReleaseCalendar) else DEFAULT

    @property
    def cell_keys(self) -> CellKeys | None:
        """How cell keys change the numbers, None where cells are hidden instead."""
        method = self.method or (CellKeys() if self.standing else Suppression())
        return method if isinstance(method, CellKeys) else None

    @model_validator(mode="after")
    def _together(self) -> Permit:
        for fault in together(self.tables):
            raise ValueError(fault)
        return self

    @staticmethod
    def load(site: Site, name: str) -> Permit:
        """The permit `permits/<name>.yaml` of a site. PermitError: it is not there. SettingsError: it does
        not read, or names another permit."""
        path = site.root / "permits" / f"{name}.yaml"
        if not path.exists():
            raise PermitError(path, "is not there", "check the permit's name, or ask its holder for it")
        permit = load_yaml(path, Permit, file=path)
        if permit.permit != name:
            raise SettingsError(path, "names another permit than its file", "rename the file")
        return permit

    @cached_property
    def payload(self) -> bytes:
        """What is signed: the bytes of the permit, of the cohort definition that it names, and of those that
        this one asks about. SettingsError: a definition is not there."""
        definition = self.definition_path
        if not definition.exists():
            raise SettingsError(
                self.file, f"the cohort definition {self.cohort} is not there", "put it beside the site"
            )
        parts = [file_digest(self.file), *(file_digest(each) for each in files(definition))]
        return documents.canonical_json({"permit": self.permit, "sha256": parts})

    @property
    def definition_path(self) -> Path:
        return self.file.parent.parent / self.cohort

    @property
    def signatures_path(self) -> Path:
        return self.file.with_suffix(".signatures.json")


def sign(site: Site, permit: Permit, owner: str, private_key: Path) -> None:
    """Add an owner's signature; one that is there already is replaced. PermitError: the key is not the
    owner's, so that the signature would not hold."""
    signature = signing.sign(private_key, permit.payload)
    if not signing.verify(
        signing.load_public(site.keys / "owners" / f"{owner}.pub"), permit.payload, signature
    ):
        raise PermitError(
            permit.file,
            f"the key is not the one that keys/owners/{owner}.pub names",
            "sign with the owner's own key",
        )
    signatures = documents.read_object(permit.signatures_path) if permit.signatures_path.exists() else {}
    documents.write_json({**signatures, owner: signature.hex()}, permit.signatures_path)


def require(site: Site, permit: Permit, owners: dict[str, str], today: date) -> None:
    """PermitError unless the permit is in force today and every owner of its sources has signed it. `owners`:
    owner of each source."""
    if today < permit.valid_from:
        raise PermitError(permit.file, f"valid_from ({permit.valid_from}) lies ahead", "wait until then")
    if today > permit.valid_to:
        raise PermitError(
            permit.file, f"valid_to ({permit.valid_to}) has passed", "ask the board for an extension"
        )
    for source in permit.sources:
        if source not in owners:
            raise PermitError(
                permit.file, f"source {source} is not in the snapshot", "check its name, or refresh the site"
            )
        if not signed_by(site, permit, owners[source]):
            raise PermitError(
                permit.file,
                f"{owners[source]}, who owns {source}, has not signed it as it stands",
                "have it signed: uttag sign --help",
            )


def signed_by(site: Site, permit: Permit, owner: str) -> bool:
    """Has this owner signed the permit and its definition as they stand?"""
    if not permit.signatures_path.exists():
        return False
    signature = str(documents.read_object(permit.signatures_path).get(owner, ""))
    public = signing.load_public(site.keys / "owners" / f"{owner}.pub")
    try:
        return signing.verify(public, permit.payload, bytes.fromhex(signature))
    except ValueError:
        return False
