"""The quality report of a delivery, for people: counts, completeness and the span of dates, never a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.intake.deaths import WORDS
from pipelines.site.acceptance import Verdict

Beside = Sequence[tuple[str, int, str]]


def quality_report(receipt: dict[str, Any], verdict: Verdict | None = None, beside: Beside = ()) -> str:
    """The receipt as Markdown; with the verdict on it, what guards found, and the rows of the source's other
    deliveries: (name, rows accepted, what became of it), by date."""
    lines = [f"# {receipt['source']}, delivery {receipt['delivery']}", ""]
    lines += [
        f"Owner: {receipt['owner']}. Delivered {receipt['delivered']}. Status: **{receipt['status']}**.",
        "",
    ]
    if receipt["replaces"]:
        lines += [f"It replaces delivery {receipt['replaces']}.", ""]
    if receipt["status"] == "stopped":
        return "\n".join([*lines, f"Stopped: {receipt['reason']}", ""])
    people, events = (sum(each["rows"] for each in receipt[name]) for name in ("identities", "events"))
    lines += ["| rows read | rows accepted | persons | events |", "| ---: | ---: | ---: | ---: |"]
    lines += [f"| {receipt['rows_read']:,} | {receipt['rows_accepted']:,} | {people:,} | {events:,} |", ""]
    if verdict is not None:
        found = [(each.guard, each.then, each.text) for each in verdict.findings]
        lines += _table("What guards found", ("guard", "then", "what"), found)
        lines += _chart(receipt["delivery"], beside)
    lines += _table(
        "Turned away", ("reason", "column", "rows"), [tuple(each.values()) for each in _quarantined(receipt)]
    )
    lines += _table("Let through, but doubtful", ("what", "rows"), list(receipt["warnings"].items()))
    told = [(WORDS[name], number) for name, number in receipt.get("deaths", {}).items()]
    lines += _table("Deaths", ("what, by this delivery alone", "number"), told)
    for file, columns in receipt["quality"].items():
        rows = [
            (name, _complete(each), each.get("first", ""), each.get("last", ""))
            for name, each in columns.items()
        ]
        lines += _table(file, ("column", "complete", "first", "last"), rows)
    return "\n".join(lines)


def _chart(name: str, beside: Beside) -> list[str]:
    """Rows as bars of up to 40 signs, this delivery's marked."""
    most = max((rows for _, rows, _ in beside), default=0) or 1
    wide = max((len(each) for each, _, _ in beside), default=0)
    bars = [
        f"{'>' if each == name else ' '} {each:<{wide}} {'█' * round(40 * rows / most):<40} {rows:,} {word}"
        for each, rows, word in beside
    ]
    return ["## Rows beside earlier deliveries", "", "```", *bars, "```", ""]


def _quarantined(receipt: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"reason": each["reason"], "column": each["column"], "rows": each["rows"]}
        for each in receipt["quarantined"]
    ]


def _complete(column: dict[str, Any]) -> str:
    rows, missing = column["rows"], column["missing"]
    return f"{100 * (rows - missing) / rows:.1f} %" if rows else ""


def _table(title: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    if not rows:
        return []
    body = [
        "| " + " | ".join(f"{each:,}" if isinstance(each, int) else str(each) for each in row) + " |"
        for row in rows
    ]
    return [f"## {title}", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *body, ""]
