"""Lists of codes as a definition says them: by prefix, by span, by concept, or in a CSV beside it."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from pathlib import Path

from pydantic import field_validator, model_validator

from pipelines.errors import SettingsError
from pipelines.files.dialect import of_text
from pipelines.files.yaml import Strict
from pipelines.study.codes import is_whole

BELOW = " and below"
_PREFIX = re.compile(r"^[A-Za-z0-9-]+/[A-Z0-9]*$")
_HYPHENED = re.compile(r"^LOINC/[A-Z0-9-]*$")
_SPAN = re.compile(r"^([A-Za-z0-9-]+/)([A-Z]*)(\d+)-([A-Z]*)(\d+)$")


class CodeList(Strict):
    """Codes by prefix, SYSTEM/CODE, or by a span of categories, ICD-10-SE/E10-E14; less those excluded.

    A code of SNOMED, RxNorm, LOINC, CVX or OMOP is no prefix, but that code alone; SNOMED/73211009 and below:
    with all that lie below it in the vocabularies that were delivered, of whatever system. `concepts`: of an
    OMOP CDM, by id, with all that descend from them, in place of codes. `file`: a CSV whose
    column `code` holds more of them, beside the definition; `sha256` of it, so that the list that was
    approved is the one that is used; `version`: whose list it is and which.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    concepts: tuple[int, ...] = ()
    file: str | None = None
    sha256: str | None = None
    version: str | None = None

    @field_validator("include", "exclude")
    @classmethod
    def _written_right(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(prefix for code in codes for prefix in _prefixes(code))

    @model_validator(mode="after")
    def _says_something(self) -> CodeList:
        if not self.include and not self.concepts and self.file is None:
            raise ValueError("is empty: name a code, a prefix, a concept or a file")
        if self.concepts and (self.include or self.file):
            raise ValueError("mixes codes and concepts: make two lists")
        if self.sha256 is not None and self.file is None:
            raise ValueError("has a hash, but no file")
        return self


def _prefixes(code: str) -> list[str]:
    """A prefix as it is, and so a code with what lies below; a span as the prefixes in it."""
    if code.endswith(BELOW):
        above = code.removesuffix(BELOW).rstrip()
        if len(_prefixes(above)) > 1 or above.endswith("/"):
            raise ValueError(f"{code} does not name one code, as SNOMED/73211009 and below does")
        return [above + BELOW]
    if _HYPHENED.match(code):
        return [code]
    if span := _SPAN.match(code):
        system, letter, first, letters, last = span.groups()
        if letters == letter and len(first) == len(last) and first <= last:
            return [f"{system}{letter}{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
        raise ValueError(f"{code} is no span of categories, as ICD-10-SE/E10-E14 is one")
    if not _PREFIX.match(code):
        raise ValueError(f"{code} is not SYSTEM/CODE in capitals without dots")
    return [code]


def said(code: str) -> str:
    """One line of a list in words: a prefix with a star, what names one code as it is."""
    return code if code.endswith(BELOW) or is_whole(code) else f"{code}*"


def filled(codes: CodeList, name: str, definition: Path) -> CodeList:
    """The list with the codes of its file. SettingsError: the file is not there, does not read, or is not the
    one that was approved."""
    if codes.file is None:
        return codes
    path = definition.parent / codes.file
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), delimiter=of_text(text).delimiter))
    except FileNotFoundError:
        raise SettingsError(
            definition,
            f"code list {name}: its file {codes.file} is not there",
            "restore it beside the definition",
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(path, "is not UTF-8 text", "save it as UTF-8") from None
    if codes.sha256 is not None and hashlib.sha256(content).hexdigest() != codes.sha256.lower():
        raise SettingsError(
            path,
            "is not the code list that the definition names: its hash differs",
            "restore it, or have the new one approved",
        )
    if not rows or "code" not in rows[0]:
        raise SettingsError(path, "has no code", "give it a column `code` with a code on each line")
    try:
        listed = tuple(prefix for row in rows for prefix in _prefixes((row["code"] or "").strip()))
    except ValueError as fault:
        raise SettingsError(path, str(fault), "mend the line") from None
    return codes.model_copy(update={"include": (*codes.include, *listed)})
