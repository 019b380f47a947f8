"""Docstrings say what a signature cannot: dtype and shape of arrays, and which of our errors are raised."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_DTYPE = re.compile(r"\b(int(8|16|32|64)|uint(8|16|32|64)|float(32|64)|bool|integers|S\d+|S\{\w+\})(?!\w)")
_SHAPE = re.compile(r"\([\w.+*/ -]+,[^()]*\)|\(\w[^()]*\([^()]*\)[^()]*,[^()]*\)")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Found:
    """A function or method, with the docstrings of the classes and the module around it."""

    where: str
    node: Function
    public: bool
    around: str

    @property
    def said(self) -> str:
        """Its own docstring, with its class's where it makes an object."""
        own = ast.get_docstring(self.node) or ""
        return f"{self.around}\n{own}" if self.node.name == "__init__" else own

    @property
    def referred(self) -> bool:
        """Does it do what a protocol or base class says, and say which?"""
        return self.said.startswith("See `")

    def arrays(self) -> bool:
        """Does its signature name arrays?"""
        asked = self.node.args
        given = [
            *asked.posonlyargs,
            *asked.args,
            *asked.kwonlyargs,
            *filter(None, (asked.vararg, asked.kwarg)),
        ]
        hints = [each.annotation for each in given] + [self.node.returns]
        return any("ndarray" in ast.unparse(hint) for hint in hints if hint is not None)

    def raised(self, errors: frozenset[str]) -> set[str]:
        """Our errors that stand in a `raise` of its own body."""
        found = set()
        pending: list[ast.AST] = list(self.node.body)
        while pending:
            node = pending.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
                continue
            pending.extend(ast.iter_child_nodes(node))
            if isinstance(node, ast.Raise) and node.exc is not None:
                called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                found |= {name} & errors
        return found


def functions(folder: str) -> Iterator[Found]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        yield from _within(module.body, str(path.relative_to(ROOT)), True, ast.get_docstring(module) or "")


def _within(body: list[ast.stmt], where: str, public: bool, around: str) -> Iterator[Found]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            said = f"{around}\n{ast.get_docstring(node) or ''}"
            yield from _within(node.body, where, public and not node.name.startswith("_"), said)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own = public and (not node.name.startswith("_") or node.name == "__init__")
            yield Found(f"{where}:{node.lineno} {node.name}", node, own, around)


def errors() -> frozenset[str]:
    """Classes of our errors."""
    module = ast.parse((ROOT / "pipelines/errors.py").read_text(encoding="utf-8"))
    return frozenset(node.name for node in module.body if isinstance(node, ast.ClassDef))


@pytest.mark.parametrize("folder", ["kernels", "pipelines", "workflows", "slurm"])
def test_public_functions_on_arrays_say_dtype_and_shape(folder: str) -> None:
    missing = [
        found.where
        for found in functions(folder)
        if found.public
        and found.arrays()
        and not found.referred
        and not (_DTYPE.search(found.said) and _SHAPE.search(found.said))
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("folder", ["kernels", "pipelines", "workflows", "slurm"])
def test_functions_that_raise_our_errors_say_which(folder: str) -> None:
    ours = errors()
    missing = [
        f"{found.where}: {', '.join(sorted(unsaid))}"
        for found in functions(folder)
        if found.public
        and (unsaid := {each for each in found.raised(ours) if each not in f"{found.around}\n{found.said}"})
    ]
    assert not missing, "\n".join(missing)
