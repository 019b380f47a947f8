"""Settings: YAML files read as strict models; all that is wrong with one is said, each with its line and
place, never with the value there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import SettingsError
from pipelines.files.faults import Fault, Place, faults, key

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Settings are read-only, and an unknown name in them is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_MOST = 1_000_000  # values that a file may stand for


@dataclass(frozen=True)
class Document:
    """What a YAML file holds, and where in it each thing stands."""

    path: Path
    content: dict[Any, Any]
    node: yaml.Node

    def line(self, place: Place) -> int:
        """The line, from 1, of what stands at a place, or of what should hold it."""
        node, line = self.node, self.node.start_mark.line
        for part in place:
            found = _inside(node, part)
            if found is None:
                break
            line, node = found
        return line + 1

    def error(self, fault: Fault) -> SettingsError:
        """A fault as an error: file, line and place."""
        place = ".".join(key(part) for part in fault.place) or "file"
        return SettingsError(f"{self.path}:{self.line(fault.place)}: {place}", fault.what, fault.next_step)

    def errors(
        self, found: ValidationError, content: object, model: type[BaseModel], at: Place = ()
    ) -> list[SettingsError]:
        """All that a validator found in `content`, which stands at `at`."""
        return [
            self.error(Fault((*at, *each.place), each.what, each.next_step))
            for each in faults(found, content, model)
        ]


def load_yaml(path: Path, model: type[Model], **more: Any) -> Model:
    """Read `path` as `model`; say where and what if it is not one, never the value that stands there.
    Raises `SettingsError`, in the order of lines, with all of them in its `others`."""
    return checked(read_document(path), model, **more)


def checked(document: Document, model: type[Model], **more: Any) -> Model:
    """A file's content as `model`. Raises `SettingsError` as `load_yaml` does."""
    own = [Fault((name,), "is not known here", "remove it") for name in document.content if name in more]
    wrong = [document.error(each) for each in own]
    content = {**document.content, **more}
    try:
        read = model.model_validate(content)
    except ValidationError as found:
        raise_all([*wrong, *document.errors(found, content, model)])
        raise
    raise_all(wrong)
    return read


def raise_all(found: Sequence[SettingsError]) -> None:
    """Raise the first error by line, with all in its `others`; nothing where there is none."""
    if found:
        ordered = sorted(found, key=lambda each: _line_of(each.where))
        ordered[0].others = tuple(ordered)
        raise ordered[0] from None


def _line_of(where: str) -> int:
    number = where.split(": ", 1)[0].rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def read_document(path: Path) -> Document:
    """A YAML file that holds names and values, each once. Raises `SettingsError`."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        twice = [] if node is None else list(_twice(node, (), set()))
        content = None if node is None else loader.construct_document(node)
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
    if node is None or not isinstance(content, dict):
        raise SettingsError(path, "does not hold names and values", "see the example site in workflows/")
    raise_all(
        [
            SettingsError(
                f"{path}:{second}: {'.'.join(key(part) for part in place)}",
                f"stands a second time, after line {first}",
                "remove one of them",
            )
            for place, first, second in twice
        ]
    )
    return Document(path, content, node)


def _inside(node: yaml.Node, part: object) -> tuple[int, yaml.Node] | None:
    """Line, from 0, and node of a member or element; None where there is none."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(part):
                return name.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        value = node.value[part]
        return value.start_mark.line, value
    return None


def _twice(node: yaml.Node, place: Place, seen: set[int]) -> Iterator[tuple[Place, int, int]]:
    """Names that stand twice among those beside them, of which the reader would take the last alone: place,
    and both lines."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _twice(value, (*place, number), seen)
    elif isinstance(node, yaml.MappingNode):
        known: dict[tuple[str, Any], int] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if isinstance(name, yaml.ScalarNode):
                if (name.tag, name.value) in known:
                    yield (*place, name.value), known[name.tag, name.value], line
                known.setdefault((name.tag, name.value), line)
                yield from _twice(value, (*place, name.value), seen)


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
