"""What the pages say of the repository and can be checked: paths, names in files, modules, targets of make,
commands and their options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).parents[1]
_FOLDERS = "pipelines|kernels|workflows|tests|benchmarks|slurm|containers|docs"
_PATH = re.compile(rf"`((?:{_FOLDERS})/[\w./-]+)`")
_NAMED = re.compile(rf"`([A-Za-z_]\w*)[^`\n]*`\s+(?:there )?in\s+`((?:{_FOLDERS})/[\w./-]+\.\w+)`")
_MODULE = re.compile(r"^from ((?:pipelines|kernels|workflows)[\w.]*) import (\w+)", re.MULTILINE)
_COMMAND = re.compile(r"(?<![\w/.-])uttag ([a-z][a-z-]*)((?: [^\n`|;&]*)?)")
_TARGET = re.compile(r"(?:^|`|&& )make ([a-z][a-z-]*)", re.MULTILINE)
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def pages() -> list[Path]:
    """Every page that is written by hand and speaks of the repository as it is."""
    written = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in written if path.exists() and path.parent.name != "reference"]


def wrong() -> list[str]:
    """What does not hold, a line each: page, and what."""
    commands = _commands()
    targets = set(
        re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    return [
        f"{path.relative_to(ROOT)}: {what}"
        for path in pages()
        for what in _of(path.read_text(encoding="utf-8"), commands, targets)
    ]


def _of(text: str, commands: dict[str, set[str]], targets: set[str]) -> Iterator[str]:
    for path in dict.fromkeys(_PATH.findall(text)):
        if not (ROOT / path.rstrip("/")).exists():
            yield f"`{path}` is not there"
    for name, path in dict.fromkeys(_NAMED.findall(text)):
        place = ROOT / path
        if place.exists() and name not in place.read_text(encoding="utf-8"):
            yield f"{name} is not in `{path}`"
    for module, _name in dict.fromkeys(_MODULE.findall(text)):
        place = ROOT / module.replace(".", "/")
        if not (place.with_suffix(".py").exists() or (place / "__init__.py").exists()):
            yield f"the module {module} is not there"
    for target in dict.fromkeys(target for code in _CODE.findall(text) for target in _TARGET.findall(code)):
        if target not in targets:
            yield f"make has no target {target}"
    for code in _CODE.findall(text):
        for name, rest in _COMMAND.findall(code):
            yield from _of_command(name, rest.partition(" # ")[0], commands)


def _of_command(name: str, rest: str, commands: dict[str, set[str]]) -> Iterator[str]:
    if name not in commands:
        yield f"uttag has no command {name}"
        return
    for option in re.findall(r"(?<=\s)--[a-z][a-z-]*", rest):
        if option not in commands[name]:
            yield f"uttag {name} has no option {option}"


def _commands() -> dict[str, set[str]]:
    """The options of each command; of a group, those of all in it."""
    from workflows.cli import app

    group: Any = typer.main.get_command(app)
    return {name: _options(command) | {"--help"} for name, command in group.commands.items()}


def _options(command: Any) -> set[str]:
    own = {option for each in command.params for option in each.opts}
    return own.union(*(_options(each) for each in getattr(command, "commands", {}).values()))
