"""Settings: YAML files read as strict models; what is wrong with one is said with its place, never with the
value there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import SettingsError

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Settings are read-only, and an unknown name in them is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def load_yaml(path: Path, model: type[Model], **more: Any) -> Model:
    """Read `path` as `model`; say where and what if it is not one, never the value that stands there.
    Raises `SettingsError`."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(path, "is not there", "check the path") from None
    except UnicodeDecodeError:
        raise SettingsError(path, "is not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        raise SettingsError(
            f"{path}:{mark.line + 1 if mark else 1}", "is not YAML", "mend the line"
        ) from None
    if not isinstance(content, dict):
        raise SettingsError(path, "does not hold names and values", "see the example site in workflows/")
    try:
        return model(**content, **more)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "file"
        raise SettingsError(
            f"{path}: {place}", first["msg"][:1].lower() + first["msg"][1:], "mend the setting"
        ) from None
