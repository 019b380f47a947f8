"""What may stand in each kind of YAML file: JSON Schemas for editors, and a page of every key."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from pipelines.files.yaml import Strict
from workflows.editor import Kind
from workflows.editor import kinds as editor_kinds
from workflows.editor import schema as bare

ROOT = Path(__file__).parents[1]
SITES = (ROOT / "workflows" / "demo" / "site", ROOT / "workflows" / "mimic")
_KEYED = re.compile(r"(?:(?<=[.;] )|(?<=^))((?:`\w+`,? ?)+): ")
_COMMENTED = re.compile(r"^    (\w+): [^#\n]*  # (.*)$", re.MULTILINE)


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind that is a file of its own."""
    return tuple(kind for kind in editor_kinds() if kind.files)


def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of a kind, with what each key means."""
    found = bare(kind)
    for each in (found, *found.get("$defs", {}).values()):
        for key, meaning in (_meanings(each)[1] if "properties" in each else {}).items():
            if key in each["properties"]:
                each["properties"][key].setdefault("description", meaning)
    return found


def faults() -> Iterator[str]:
    """Keys without a meaning; and what the schemas find wrong in the sites that come with uttag, where
    nothing is."""
    for kind in kinds():
        found = schema(kind)
        for each in (found, *found.get("$defs", {}).values()) if kind.name != "contract" else ():
            yield from (
                f"{kind.name}: what does {each['title']}.{key} mean? say it in the docstring"
                for key, about in each.get("properties", {}).items()
                if "description" not in about
            )
        check = Draft202012Validator(found)
        for pattern in kind.files:
            for path in (each for site in SITES for each in sorted(site.glob(f"**/{pattern}"))):
                content = yaml.safe_load(path.read_text(encoding="utf-8"))
                for fault in check.iter_errors(json.loads(json.dumps(content, default=str))):
                    place = ".".join(map(str, fault.absolute_path))
                    yield f"{path.relative_to(ROOT)}: {place} does not keep its schema"


def schemas() -> Iterator[tuple[str, str]]:
    """Name and text of each schema's file."""
    for kind in kinds():
        yield f"schemas/{kind.name}.json", json.dumps(schema(kind), indent=1, ensure_ascii=False) + "\n"


def editor() -> str:
    """Settings of an editor with the YAML language server: which schema goes with which file."""
    found = {
        f"docs/reference/schemas/{kind.name}.json": [f"**/{each}" for each in kind.files] for kind in kinds()
    }
    return json.dumps({"yaml.schemas": found, "yaml.schemaStore.enable": False}, indent=2) + "\n"


def page() -> str:
    """Every key of every kind."""
    parts = [
        "# Which keys may stand in which file?\n",
        "An unknown key is refused, and so is a value of another type: `uttag check` says where. [Editors]"
        "(../editors.md) complete and check keys by the schemas beside this page.\n",
        "| file | says | schema |",
        "| --- | --- | --- |",
        *[
            f"| {', '.join(f'`{each}`' for each in kind.files)} | {kind.about} "
            f"| [{kind.name}](schemas/{kind.name}.json) |"
            for kind in kinds()
        ],
    ]
    for kind in kinds():
        parts.append(
            f"\n## {kind.name.capitalize()}\n\n`{kind.files[0]}`: {kind.about}. "
            f"The page [{kind.told}](../{kind.told}.md) explains it.\n"
        )
        parts += list(_contract() if kind.name == "contract" else _models(schema(kind)))
    return "\n".join(parts) + "\n"


def _contract() -> Iterator[str]:
    yield (
        "The Open Data Contract Standard's own keys, of which intake reads `servers`, `schema` and "
        "`customProperties`, and ours under the property `uttag`, once for the contract and once for each "
        "table ([intake](../intake.md)).\n"
    )
    defs = schema(next(kind for kind in kinds() if kind.name == "contract"))["$defs"]
    for name in ("Agreement", "Mapping", "Identities", "Event", "Coded"):
        yield from _model(name, defs[name])


def _models(found: dict[str, Any]) -> Iterator[str]:
    yield from _model("", found)
    for name, each in sorted(found.get("$defs", {}).items()):
        if "properties" in each:
            yield from _model(name, each)


def _model(name: str, found: dict[str, Any]) -> Iterator[str]:
    if name:
        yield f"### {name}\n"
    about, meanings = _meanings(found)
    if about:
        yield about + "\n"
    yield "| key | is | by default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key, each in found["properties"].items():
        default = "needed" if key in found.get("required", ()) else _default(each.get("default"))
        yield f"| `{key}` | {_type(each)} | {default} | {_cell(meanings.get(key, ''))} |"
    yield ""


def _meanings(found: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """What a model says of itself, and of each of its keys: as the key's own description, in a comment behind
    the key, in its docstring or that of a model it extends as `key`: …, or in meanings.yaml."""
    said = found.get("description", "")
    meanings = dict(meanings_of(found.get("title", "")))
    if unknown := meanings.keys() - found["properties"].keys():
        raise ValueError(f"docs/meanings.yaml: {found['title']} has no key {min(unknown)}")
    for model in _subclasses(Strict):
        if inspect.getdoc(model) == said:
            for each in reversed(model.__mro__[: model.__mro__.index(Strict)]):
                meanings |= _keyed(each.__doc__ or "")[1] | dict(_COMMENTED.findall(inspect.getsource(each)))
    about, own = _keyed(said)
    described = {
        key: each["description"] for key, each in found["properties"].items() if "description" in each
    }
    return about, meanings | own | described


def _keyed(text: str) -> tuple[str, dict[str, str]]:
    """A docstring: what stands before the first key, and what is said of each."""
    about, *rest = _KEYED.split(" ".join(text.split()))
    return about.strip(), {
        key: each.rstrip(" .;")
        for keys, each in zip(rest[::2], rest[1::2], strict=True)
        for key in re.findall(r"\w+", keys)
    }


@cache
def meanings_of(model: str) -> dict[str, str]:
    """Meanings of keys that the code leaves to their names."""
    path = Path(__file__).with_name("meanings.yaml")
    found: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found.get(model, {})


def _subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _subclasses(each)


def _default(value: Any) -> str:
    return "" if value in (None, [], {}, "") else f"`{_cell(json.dumps(value, ensure_ascii=False))}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _type(found: dict[str, Any]) -> str:
    if "$ref" in found:
        return found["$ref"].rpartition("/")[2]
    for key in ("anyOf", "oneOf"):
        if key in found:
            return " or ".join(
                dict.fromkeys(_type(each) for each in found[key] if each.get("type") != "null")
            )
    if "enum" in found:
        return ", ".join(f"`{each}`" for each in found["enum"])
    if "const" in found:
        return f"`{found['const']}`"
    kind = found.get("type", "anything")
    if kind == "array":
        places = found.get("prefixItems")
        return (
            " and ".join(_type(each) for each in places)
            if places
            else f"list of {_type(found.get('items', {}))}"
        )
    if kind == "object":
        of = found.get("additionalProperties")
        return f"by name: {_type(of)}" if isinstance(of, dict) else "names and values"
    words = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    return words.get(kind, kind) + _bounds(found)


def _bounds(found: dict[str, Any]) -> str:
    low, high = found.get("minimum"), found.get("maximum")
    above, below = found.get("exclusiveMinimum"), found.get("exclusiveMaximum")
    parts = [
        f"{word} {each:g}"
        for word, each in (("from", low), ("to", high), ("above", above), ("below", below))
        if each is not None
    ]
    return f", {' '.join(parts)}" if parts else ""
