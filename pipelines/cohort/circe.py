"""OHDSI's Circe definitions, as ATLAS exports them, alone or with what surrounds them there.

Every feature that circe-be 1.11 can run on OMOP 5.3 and 5.4 is read, with its defaults; what it cannot run,
or does not know, is refused with its place in the file, but for keys beside the definition's own, which are
skipped and told. A concept set that is named but not defined holds no concept, so that asking for it gives no
event, as there. Keys that only describe (titles, authors, captions of concepts) are skipped.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Final, Literal, cast

from pipelines.cohort.circe_criteria import (
    read_concept,
    read_counted,
    read_criterion,
    read_demographic,
    read_period,
)
from pipelines.cohort.json_reader import DEEPEST, LARGEST, Node, decoded, read
from pipelines.cohort.query import (
    Cohort,
    ConceptSet,
    Correlated,
    Criterion,
    CustomEra,
    DateOffset,
    Edge,
    Group,
    Item,
    Limit,
    Occurrence,
    Rule,
    SetId,
    Window,
)
from pipelines.errors import SettingsError

_DESCRIPTIVE: Final = tuple(
    "Title title name description cdmVersionRange createdBy createdDate modifiedBy modifiedDate tags".split()
)
_EXPRESSION: Final = tuple(
    (
        "PrimaryCriteria AdditionalCriteria ConceptSets QualifiedLimit ExpressionLimit InclusionRules "
        "EndStrategy CensoringCriteria CollapseSettings CensorWindow"
    ).split()
)
_NAME: Final = re.compile(r"[\w .:/-]{1,60}")
_MOST_RULES = 62  # bits of a mask


def load(path: Path) -> Cohort:
    """The definition in a file. SettingsError: it does not read, or asks for what cannot be run."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(path, "is not there", "check the path") from None
    except OSError:
        raise SettingsError(path, "cannot be read", "name a file that you may read") from None
    return parse(content, path.name)


def parse(content: bytes | str, where: str) -> Cohort:
    """A definition. `where`: what to call it in an error. SettingsError: it does not read, or asks for what
    cannot be run."""
    notes: tuple[str, ...] = ()
    if isinstance(content, bytes) and len(content) <= LARGEST:
        content, notes = decoded(content, where)
    node, title = _unwrapped(read(content, where))
    try:
        return _cohort(node, title, notes)
    except RecursionError:
        raise SettingsError(where, "is nested too deeply", "simplify the definition") from None


def _unwrapped(node: Node) -> tuple[Node, str]:
    """The expression itself, and a title: WebAPI puts the expression, at times as text, beside facts about
    it."""
    if not isinstance(node.value, dict):
        node.refuse("is no cohort definition", "export it from ATLAS as JSON")
    title = next(
        (node.value[key] for key in ("name", "Title", "title") if isinstance(node.value.get(key), str)), ""
    )
    if "expression" not in node.value:
        return node, title
    for key in _EXPRESSION:
        if key in node.value:
            node.at(key, None).refuse("stands beside expression", "put it within, or remove it")
    if node.value.get("expressionType", "SIMPLE_EXPRESSION") != "SIMPLE_EXPRESSION":
        node.at("expressionType", None).refuse(
            "is not SIMPLE_EXPRESSION", "export a cohort definition of ATLAS"
        )
    inner = node.at("expression", node.value["expression"])
    if isinstance(inner.value, str):
        inner = Node(inner.where, inner.path, read(inner.value, f"{inner.where}: {inner.path}").value)
    if not isinstance(inner.value, dict):
        inner.refuse("is no cohort definition", "export it from ATLAS as JSON")
    return inner, title or str(inner.value.get("Title") or "")


def _cohort(node: Node, title: str, notes: tuple[str, ...]) -> Cohort:
    foreign = _foreign(node)
    members = node.members(_EXPRESSION, (*_DESCRIPTIVE, *foreign))
    if foreign:
        names = ", ".join(name if _NAME.fullmatch(name) else "a key that is none" for name in foreign[:5])
        notes = (*notes, f"asks nothing by {names}: circe-be 1.11 does not know it")
    _not_null(node, ("QualifiedLimit", "ExpressionLimit", "InclusionRules", "CollapseSettings"))
    primary = _required(node, members, "PrimaryCriteria")
    entry = primary.members(("CriteriaList", "ObservationWindow", "PrimaryCriteriaLimit"))
    _not_null(primary, ("PrimaryCriteriaLimit",))
    criteria = tuple(_criterion(each, 0) for each in _required(primary, entry, "CriteriaList").elements())
    if not criteria:
        entry["CriteriaList"].refuse("is empty", "name at least one entry event")
    observed = _required(primary, entry, "ObservationWindow").members(("PriorDays", "PostDays"))
    prior, post = (observed[key].days(0) if key in observed else 0 for key in ("PriorDays", "PostDays"))
    return Cohort(
        sets=_concept_sets(members),
        entry=criteria,
        prior_days=prior,
        post_days=post,
        entry_limit=_limit(entry, "PrimaryCriteriaLimit", null="refused"),
        additional=_group(members["AdditionalCriteria"], 0) if "AdditionalCriteria" in members else None,
        qualified_limit=_limit(members, "QualifiedLimit"),
        rules=_rules(members),
        limit=_limit(members, "ExpressionLimit"),
        exit=_exit(members["EndStrategy"]) if "EndStrategy" in members else None,
        censoring=tuple(_criterion(each, 0) for each in members["CensoringCriteria"].elements())
        if "CensoringCriteria" in members
        else (),
        era_pad=_era_pad(members),
        censor_window=read_period(members["CensorWindow"]) if "CensorWindow" in members else (None, None),
        title=title,
        notes=notes,
    )


def _foreign(node: Node) -> list[str]:
    """Keys beside those that circe-be knows, which skips them; but one that is nearly one of its own is
    refused by `members`, since its writer meant to ask something."""
    own = {name.casefold(): name for name in _EXPRESSION}
    return [
        key
        for key in node.value
        if key not in _EXPRESSION
        and key not in _DESCRIPTIVE
        and not difflib.get_close_matches(key.casefold(), own, 1, 0.85)
    ]


def _required(node: Node, members: dict[str, Node], key: str) -> Node:
    if key not in members:
        node.at(key, None).refuse("is missing", "add it")
    return members[key]


def _not_null(node: Node, keys: tuple[str, ...]) -> None:
    """Circe-be fails on these where they are null, and has a default where they are absent."""
    for key in keys:
        if key in node.value and node.value[key] is None:
            node.at(key, None).refuse("is null", "give it, or leave it out for the default")


def _concept_sets(members: dict[str, Node]) -> dict[SetId, ConceptSet]:
    found: dict[SetId, ConceptSet] = {}
    for node in members["ConceptSets"].elements() if "ConceptSets" in members else ():
        given = node.members(("id", "expression"), _DESCRIPTIVE)
        id = _required(node, given, "id").whole()
        if id in found:
            node.at("id", id).refuse("is the id of another concept set", "number each differently")
        expression = _required(node, given, "expression")
        items = _required(expression, expression.members(("items",), _DESCRIPTIVE), "items").elements()
        name = node.value.get("name")
        found[id] = ConceptSet(name if isinstance(name, str) else "", tuple(_item(each) for each in items))
    return found


def _item(node: Node) -> Item:
    members = node.members(("concept", "isExcluded", "includeDescendants", "includeMapped"))
    excluded, descendants, mapped = (
        _flag(members, key) for key in ("isExcluded", "includeDescendants", "includeMapped")
    )
    return Item(read_concept(_required(node, members, "concept")), excluded, descendants, mapped)


def _flag(members: dict[str, Node], key: str) -> bool:
    return members[key].boolean() if key in members else False


def _limit(members: dict[str, Node], key: str, null: Literal["all", "refused"] = "all") -> Limit:
    """Absent means first; a Type of null means all but for entry events, where circe-be fails."""
    if key not in members:
        return "first"
    node = members[key]
    given = node.members(("Type",))
    if "Type" in given:
        name = given["Type"].text().lower()
        if name not in ("first", "last", "all"):
            given["Type"].refuse("is not known here", "give All, First or Last")
        return cast(Limit, name)
    if "Type" not in node.value:
        return "first"
    if null == "refused":
        node.at("Type", None).refuse("is null", "give All, First or Last")
    return "all"


def _criterion(node: Node, depth: int) -> Criterion:
    return read_criterion(node, lambda inner: _group(inner, depth + 1))


def _group(node: Node, depth: int) -> Group:
    if depth > DEEPEST:
        node.refuse("is nested too deeply", "simplify the definition")
    members = node.members(("Type", "Count", "CriteriaList", "DemographicCriteriaList", "Groups"))
    lists = ("CriteriaList", "DemographicCriteriaList", "Groups")
    _not_null(node, lists)
    given, facts, inner = (list(members[key].elements()) if key in members else [] for key in lists)
    correlated = tuple(_correlated(each, depth) for each in given)
    groups = tuple(_group(each, depth + 1) for each in inner)
    demographics = tuple(read_demographic(each) for each in facts)
    if not (correlated or groups or demographics):
        return Group("all")
    kind = _required(node, members, "Type").text().lower()
    if kind not in ("all", "any", "at_least", "at_most"):
        members["Type"].refuse("is not known here", "give ALL, ANY, AT_LEAST or AT_MOST")
    count = _required(node, members, "Count").whole(0) if kind.startswith("at_") else 0
    return Group(
        cast(Literal["all", "any", "at_least", "at_most"], kind), count, correlated, demographics, groups
    )


def _correlated(node: Node, depth: int) -> Correlated:
    members = node.members(
        ("Criteria", "StartWindow", "EndWindow", "Occurrence", "RestrictVisit", "IgnoreObservationPeriod")
    )
    criterion = _criterion(_required(node, members, "Criteria"), depth)
    return Correlated(
        criterion=criterion,
        occurrence=_occurrence(_required(node, members, "Occurrence"), criterion),
        start=_window(_required(node, members, "StartWindow"), event_end=False),
        end=_window(members["EndWindow"], event_end=True) if "EndWindow" in members else None,
        same_visit=_flag(members, "RestrictVisit"),
        any_period=_flag(members, "IgnoreObservationPeriod"),
    )


def _occurrence(node: Node, criterion: Criterion) -> Occurrence:
    members = node.members(("Type", "Count", "IsDistinct", "CountColumn"))
    kind = members["Type"].whole() if "Type" in members else 0
    if kind not in (0, 1, 2):
        members["Type"].refuse("is not known here", "give 0 for exactly, 1 for at most, 2 for at least")
    count = members["Count"].whole(0) if "Count" in members else 0
    column = members.get("CountColumn")
    counted = read_counted(column, criterion, node) if _flag(members, "IsDistinct") else None
    kinds: tuple[Literal["exactly", "at_most", "at_least"], ...] = ("exactly", "at_most", "at_least")
    return Occurrence(kinds[kind], count, counted)


def _window(node: Node, event_end: bool) -> Window:
    """`event_end`: is it the event's end that must lie in the window where nothing is said?"""
    members = node.members(("Start", "End", "UseIndexEnd", "UseEventEnd"))
    ends = members["UseEventEnd"].boolean() if "UseEventEnd" in members else event_end
    first, last = (_edge(_required(node, members, key)) for key in ("Start", "End"))
    return Window(
        first, last, "end" if _flag(members, "UseIndexEnd") else "start", "end" if ends else "start"
    )


def _edge(node: Node) -> Edge:
    members = node.members(("Days", "Coeff"))
    days = members["Days"].days() if "Days" in members else None
    if "Coeff" not in members and days == 0:
        return Edge(0, 1)
    sign = _required(node, members, "Coeff").whole()
    if sign not in (-1, 1):
        members["Coeff"].refuse("is neither before nor after", "give -1 or 1")
    return Edge(None if days is None else days * sign, cast(Literal[-1, 1], sign))


def _rules(members: dict[str, Node]) -> tuple[Rule, ...]:
    found = []
    for node in members["InclusionRules"].elements() if "InclusionRules" in members else ():
        given = node.members(("name", "description", "expression"))
        name, about = (given[key].text() if key in given else "" for key in ("name", "description"))
        found.append(Rule(name, _group(_required(node, given, "expression"), 0), about))
    if len(found) > _MOST_RULES:
        members["InclusionRules"].refuse(f"has more than {_MOST_RULES} rules", "join some of them")
    return tuple(found)


def _exit(node: Node) -> DateOffset | CustomEra:
    found = node.members(("DateOffset", "CustomEra"))
    if len(found) != 1:
        node.refuse(f"names {len(found)} strategies", "name DateOffset or CustomEra")
    if "DateOffset" in found:
        offset = found["DateOffset"]
        members = offset.members(("DateField", "Offset"))
        _not_null(offset, ("DateField",))
        field = (
            members["DateField"].one_of(("StartDate", "EndDate")) if "DateField" in members else "StartDate"
        )
        return DateOffset(
            "end" if field == "EndDate" else "start", members["Offset"].days() if "Offset" in members else 0
        )
    era = found["CustomEra"]
    members = era.members(("DrugCodesetId", "GapDays", "Offset", "DaysSupplyOverride"))
    return CustomEra(
        _required(era, members, "DrugCodesetId").whole(),
        members["GapDays"].days(0) if "GapDays" in members else 0,
        members["Offset"].days() if "Offset" in members else 0,
        members["DaysSupplyOverride"].days() if "DaysSupplyOverride" in members else None,
    )


def _era_pad(members: dict[str, Node]) -> int:
    if "CollapseSettings" not in members:
        return 0
    given = members["CollapseSettings"].members(("CollapseType", "EraPad"))
    if "CollapseType" in given:
        given["CollapseType"].one_of(("ERA",))
    return given["EraPad"].days(0) if "EraPad" in given else 0
