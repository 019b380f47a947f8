"""The rulebook of code systems: forms, hierarchies, and one list of chapters for all of ICD."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pipelines.files.digests import content_hash
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import ANCESTORS
from pipelines.study import codes
from pipelines.study.code_list import CodeList
from pipelines.study.concepts import prefix_range
from pipelines.study.hierarchy import Hierarchy, together


@pytest.mark.parametrize(
    ("concept", "chapter", "block"),
    [
        ("ICD-10-SE/E119", "IV", "E10-E14"),
        ("ICD-10-SE/I219", "IX", "I20-I25"),
        ("ICD-10-SE/C509", "II", "C50"),
        ("ICD-10-SE/U071", "XXII", "U00-U49"),
        ("ICD-10-SE/Z000", "XXI", "Z00-Z13"),
        ("ICD-10-CM/E0865", "IV", "E10-E14"),
        ("ICD-10-CM/D496", "II", "D37-D48"),
        ("ICD-10-CM/C7A00", "II", "C76-C80"),
        ("ICD-10-CM/I1A0", "IX", "I10-I16"),
        ("ICD-10-CM/Z3A12", "XXI", "Z30-Z39"),
        ("ICD-10-CM/V499XXA", "XX", "V01-V99"),
        ("ICD-9-CM/25000", "IV", "ICD-9-CM 240-278"),
        ("ICD-9-CM/27906", "III", "ICD-9-CM 279-289"),
        ("ICD-9-CM/V08", "XXI", "ICD-9-CM V01-V91"),
        ("ICD-9-CM/E8788", "XX", "ICD-9-CM E000-E999"),
        ("ICD-9-CM/36610", "VII", "ICD-9-CM 360-379"),
    ],
)
def test_each_diagnosis_lies_in_one_chapter_and_block(concept: str, chapter: str, block: str) -> None:
    assert codes.chapter_and_block(concept) == (chapter, block)
    where, within = codes.classify([concept])
    assert codes.icd_chapters()[where[0]].code == chapter
    assert (codes.icd_blocks()[within[0]].code, codes.icd_blocks()[within[0]].chapter) == (block, chapter)


def test_what_is_no_diagnosis_lies_in_no_chapter() -> None:
    assert [each.tolist() for each in codes.classify(["ATC/A10BA02", "SCB/0180", "LAB/LDL", ""])] == [
        [-1] * 4,
        [-1] * 4,
    ]


def test_every_category_of_every_chapter_has_a_block() -> None:
    for chapter in codes.icd_chapters():
        for letter in range(ord(chapter.first[0]), ord(chapter.last[0]) + 1):
            for number in range(100):
                category = f"{chr(letter)}{number:02d}"
                if chapter.first <= category <= chapter.last:
                    found = codes.chapter_and_block(f"ICD-10-CM/{category}")
                    assert found is not None
                    assert found[0] == chapter.code


def test_blocks_stand_in_the_order_of_their_chapters_without_overlap() -> None:
    order = [each.code for each in codes.icd_chapters()]
    assert [order.index(each.chapter) for each in codes.icd_blocks()] == sorted(
        order.index(each.chapter) for each in codes.icd_blocks()
    )
    ten = sorted(
        (each.first, each.last) for each in codes.icd_blocks() if not each.code.startswith("ICD-9-CM")
    )
    assert all(last < following for (_, last), (following, _) in pairwise(ten))
    assert len({each.code for each in codes.icd_blocks()}) == len(codes.icd_blocks())


@pytest.mark.parametrize(
    ("code", "revision"),
    [
        ("25000", 9),
        ("V08", 9),
        ("V6284", 9),
        ("V499XXA", 10),
        ("E119", 10),
        ("E0865", 10),
        ("E9290", 9),
        ("E8788", 0),
        ("E871", 0),
        ("E8339", 0),
        ("I10", 10),
        ("E43", 10),
        ("XYZ", 0),
        ("", 0),
    ],
)
def test_the_form_of_an_american_code_tells_its_revision_unless_both_have_it(
    code: str, revision: int
) -> None:
    assert codes.icd_revision(code) == revision


@pytest.mark.parametrize(
    ("concept", "above"),
    [
        ("ATC/A10BA02", ("ATC/A", "ATC/A10", "ATC/A10B", "ATC/A10BA")),
        ("ICD-10-SE/E119", ("ICD-10-SE/E11",)),
        ("ICD-9-CM/E8788", ("ICD-9-CM/E878",)),
        ("SCB/0180", ("SCB/01",)),
        ("LAB/LDL", ()),
    ],
)
def test_the_groups_by_prefix_that_a_code_lies_under(concept: str, above: tuple[str, ...]) -> None:
    assert codes.ancestors(concept) == above


@pytest.mark.parametrize(
    ("system", "good", "bad"),
    [
        ("ICD-10-SE", "E119", "11E"),
        ("KVA", "AF022", "AF02"),
        ("KVA", "JKA21", "J21"),
        ("ATC", "A10BA02", "A10B2"),
        ("SCB", "0180", "0199"),
        ("LAB", "HBA1C", "HBA1D"),
        ("ICD-9-CM", "25000", "250000"),
        ("NDC", "00002751001", "2751001"),
        ("ICD-10", "I500", "I5O"),
        ("SNOMED", "73211009", "7321A"),
        ("RxNorm", "313782", "OMOP313782"),
        ("RxNorm-Extension", "OMOP313782", "313782"),
        ("LOINC", "2885-2", "28852"),
        ("CVX", "113", "1133"),
        ("OMOP", "201826", "0"),
    ],
)
def test_a_code_is_known_by_list_or_by_form(system: str, good: str, bad: str) -> None:
    assert codes.known(system, good)
    assert not codes.known(system, bad)


@pytest.mark.parametrize(
    ("line", "takes", "leaves"),
    [
        ("ICD-10-SE/E11", "ICD-10-SE/E119", "ICD-10-SE/E12"),
        ("SNOMED/73211009", "SNOMED/73211009", "SNOMED/732110091"),
        ("SNOMED/", "SNOMED/732110091", "LOINC/2885-2"),
        ("LOINC/2885-2", "LOINC/2885-2", "LOINC/12885-2"),
    ],
)
def test_a_code_of_a_system_without_a_hierarchy_in_its_form_takes_itself_alone(
    line: str, takes: str, leaves: str
) -> None:
    labels = sorted((takes, leaves))
    begin, end = prefix_range(labels, line)
    assert labels[begin:end] == [takes]
    assert codes.covers(line, takes)
    assert not codes.covers(line, leaves)


def test_what_lies_below_a_code_is_what_a_delivery_says() -> None:
    def pairs(rows: list[tuple[str, str, int]]) -> Frame:
        concepts, ancestors = [row[0] for row in rows], [row[1] for row in rows]
        return {
            "concept": Category.of(concepts, np.arange(len(rows))),
            "ancestor": Category.of(ancestors, np.arange(len(rows))),
            "itself": np.array([row[2] for row in rows], np.int8),
        }

    one = pairs([("ICD-10-CM/K922", "SNOMED/74474003", 1), ("ICD-10-CM/K922", "SNOMED/53619000", 0)])
    two = pairs([("SNOMED/74474003", "SNOMED/53619000", 0), ("ICD-10-CM/K922", "SNOMED/53619000", 0)])
    found, turned = together([one, two]), together([two, one])
    assert content_hash(found, ANCESTORS) == content_hash(turned, ANCESTORS)
    hierarchy = Hierarchy.of(found)
    assert hierarchy.expanded("SNOMED/53619000 and below") == (
        "ICD-10-CM/K922",
        "SNOMED/53619000",
        "SNOMED/74474003",
    )
    assert hierarchy.expanded("SNOMED/74474003") == ("ICD-10-CM/K922", "SNOMED/74474003")
    assert hierarchy.expanded("SNOMED/53619000") == ("SNOMED/53619000",)
    assert hierarchy.expanded("ICD-10-CM/K92") == ("ICD-10-CM/K92",)


@pytest.mark.parametrize("line", ["SNOMED/ and below", "ICD-10-SE/E10-E14 and below", "LOINC/28.85", "X"])
def test_a_line_of_a_code_list_that_names_no_code_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"is not SYSTEM/CODE|does not name one code"):
        CodeList(include=(line,))


def test_the_county_has_twenty_six_municipalities() -> None:
    assert len(codes.municipalities()) == 26
    assert codes.municipality_names()["0180"] == "Stockholm"
    assert all(each.code.startswith(codes.COUNTY) for each in codes.municipalities())
