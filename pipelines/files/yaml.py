"""Settings: YAML files read as strict models; what is wrong with one is said with its place, never with the
value there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import SettingsError

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Settings are read-only, and an unknown name in them is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_NAME = re.compile(r"[\w .:/-]{1,60}")
_MOST = 1_000_000  # values that a file may stand for


def load_yaml(path: Path, model: type[Model], **more: Any) -> Model:
    """Read `path` as `model`; say where and what if it is not one, never the value that stands there.
    Raises `SettingsError`."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        size = _size(content, {})
    except FileNotFoundError:
        raise SettingsError(path, "is not there", "check the path") from None
    except UnicodeDecodeError:
        raise SettingsError(path, "is not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        raise SettingsError(
            f"{path}:{mark.line + 1 if mark else 1}", "is not YAML", "mend the line"
        ) from None
    except RecursionError:
        raise SettingsError(path, "is nested too deep", "say it with fewer levels") from None
    except (ValueError, OverflowError):
        raise SettingsError(path, "holds a date or number that there is not", "mend it") from None
    if size > _MOST:
        raise SettingsError(path, f"stands for more than {_MOST:,} values", "write them out, without aliases")
    if not isinstance(content, dict):
        raise SettingsError(path, "does not hold names and values", "see the example site in workflows/")
    if own := sorted(str(name) for name in content if name in more):
        raise SettingsError(f"{path}: {_key(own[0])}", "extra inputs are not permitted", "mend the setting")
    try:
        return model.model_validate({**content, **more})
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        written = _written(first["loc"], {**content, **more}, first["type"] == "missing")
        place = ".".join(_key(part) for part in written) or "file"
        raise SettingsError(
            f"{path}: {place}", _lower(first["msg"].removeprefix("Value error, ")), "mend the setting"
        ) from None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _written(place: tuple[str | int, ...], content: Any, missing: bool) -> list[str | int]:
    """The place as the file has it: without what names the shape that something there was read as. `missing`:
    is its last part a key that should be there?"""
    found: list[str | int] = []
    for number, part in enumerate(place):
        inside = (isinstance(content, dict) and part in content) or (
            isinstance(content, list) and isinstance(part, int) and part < len(content)
        )
        if inside:
            content = content[part]
        elif number < len(place) - 1 or not missing:
            continue
        found.append(part)
    return found


def _key(part: object) -> str:
    """A key, as far as it looks like one: a stranger's file may hold anything in its place."""
    return str(part) if _NAME.fullmatch(str(part)) else "a key that is none"


def _size(value: Any, known: dict[int, int]) -> int:
    """How many values stand there when aliases are written out: a few lines can stand for more than any
    memory holds."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = _MOST + 1  # what holds itself is never written out
        inside = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(each, known) for each in inside)
    return known[id(value)]
