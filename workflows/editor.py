"""What may stand in each kind of YAML file, as JSON Schemas that editors complete and check by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Kind:
    """A kind of settings file. `files`: where it lies, as editors match it; `about`: which question it
    answers; `told`: the page that explains it; `own`: keys that the code fills in and no file says."""

    name: str
    files: tuple[str, ...]
    about: str
    model: type[BaseModel]
    told: str
    own: tuple[str, ...] = ()


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind, in the order of a site's life."""
    from open_data_contract_standard.model import OpenDataContractStandard

    from pipelines.compute.cluster import Cluster
    from pipelines.disclosure.specification import Specification
    from pipelines.linkage.agreement import EncodingSettings
    from pipelines.linkage.link_settings import LinkSettings
    from pipelines.linkage.settings import LinkageSettings
    from pipelines.site.arrivals import Delivery
    from pipelines.site.permit import Permit, Table
    from pipelines.site.site import Site
    from pipelines.study.definition import Definition

    return (
        Kind(
            "site",
            ("site.yaml",),
            "which sources a site has, and how it counts",
            Site,
            "operations",
            ("root",),
        ),
        Kind(
            "contract",
            ("contracts/*.yaml",),
            "what a source delivers, and what its columns mean",
            OpenDataContractStandard,
            "intake",
        ),
        Kind("delivery", ("delivery.yaml",), "which files came, and when", Delivery, "intake", ("root",)),
        Kind(
            "cluster",
            ("cluster.yaml",),
            "whose account, which nodes, how much memory and time",
            Cluster,
            "cluster",
        ),
        Kind("linkage", ("linkage.yaml",), "how the night links records", LinkageSettings, "linkage"),
        Kind("definition", ("definitions/*.yaml",), "who is in a cohort", Definition, "cohort"),
        Kind(
            "permit",
            ("permits/*.yaml",),
            "who may learn which tables, until when",
            Permit,
            "aggregation",
            ("file",),
        ),
        Kind("table", (), "one table of a permit", Table, "aggregation"),
        Kind(
            "link",
            ("link.yaml", "*.link.yaml"),
            "how `uttag link` links any tables",
            LinkSettings,
            "linkage-tables",
        ),
        Kind(
            "encoding",
            ("encode.yaml", "*.encode.yaml"),
            "how records are encoded, so that others can link and not read them",
            EncodingSettings,
            "linkage-encoded",
        ),
        Kind(
            "protect",
            ("*.protect.yaml",),
            "which table `uttag protect` protects",
            Specification,
            "disclosure",
        ),
    )


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises `SettingsError` where there is none."""
    from pipelines.errors import SettingsError

    names = [each.name for each in kinds()]
    if name not in names:
        raise SettingsError("schema", f"there is none of {name}", f"choose from {', '.join(names)}")
    return kinds()[names.index(name)]


def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of a kind."""
    found = kind.model.model_json_schema(by_alias=True)
    for key in kind.own:
        del found["properties"][key]
        found["required"] = [each for each in found["required"] if each != key]
    if kind.name == "contract":
        _with_ours(found)
    _with_short_forms(kind, found)
    return found


def _with_ours(standard: dict[str, Any]) -> None:
    """Into the schema of the Open Data Contract Standard, what our own property holds: of the contract, and
    of each table."""
    from pipelines.intake.contract import Agreement
    from pipelines.intake.mapping import Mapping

    for model, holder in ((Agreement, standard), (Mapping, standard["$defs"]["SchemaObject"])):
        ours = model.model_json_schema(ref_template="#/$defs/{model}")
        standard["$defs"] |= ours.pop("$defs", {}) | {model.__name__: ours}
        holder["properties"]["customProperties"] = {
            "type": "array",
            "items": {
                "if": {"properties": {"property": {"const": "uttag"}}},
                "then": {"properties": {"value": {"$ref": f"#/$defs/{model.__name__}"}}},
            },
        }


def _with_short_forms(kind: Kind, found: dict[str, Any]) -> None:
    """What a file may say more shortly than the model holds it."""
    if kind.name == "definition":
        lists = found["properties"]["codes"]
        short = {"type": "array", "items": {"type": "string"}}
        lists["additionalProperties"] = {"anyOf": [short, lists["additionalProperties"]]}
    if kind.name == "permit":
        method = found["properties"]["method"]
        either = next(each for each in method.pop("anyOf") if "oneOf" in each)
        method["anyOf"] = [{"enum": sorted(either["discriminator"]["mapping"])}, {"oneOf": either["oneOf"]}]
        del method["default"]  # it follows from `standing`
    if kind.name == "protect":
        method = found["properties"]["method"]
        found["properties"]["method"] = {
            "anyOf": [{"enum": sorted(method["discriminator"]["mapping"])}, {"oneOf": method["oneOf"]}],
            "default": "suppression",
        }
