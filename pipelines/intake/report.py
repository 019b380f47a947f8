"""The quality report of a delivery, for people: counts, completeness and the span of dates, never a value."""

from __future__ import annotations

from typing import Any


def quality_report(receipt: dict[str, Any]) -> str:
    """The receipt as Markdown."""
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
    lines += _table(
        "Turned away", ("reason", "column", "rows"), [tuple(each.values()) for each in _quarantined(receipt)]
    )
    lines += _table("Let through, but doubtful", ("what", "rows"), list(receipt["warnings"].items()))
    for file, columns in receipt["quality"].items():
        rows = [
            (name, _complete(each), each.get("first", ""), each.get("last", ""))
            for name, each in columns.items()
        ]
        lines += _table(file, ("column", "complete", "first", "last"), rows)
    return "\n".join(lines)


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
