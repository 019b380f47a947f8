"""A page of the project zone: it needs no file beside it, loads nothing, and only its owner may read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import jinja2

from pipelines.files.atomic import atomic

_HEAD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">\
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Protection report</title>
<style>
:root{color-scheme:light dark;--line:#8886;--kept:#2f7f86;--gone:#c8763a}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
table{border-collapse:collapse}\
td,th{padding:.2rem .8rem .2rem 0;text-align:left;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.warn{border-left:4px solid var(--gone);padding:.2rem .8rem}
.bar{display:grid;grid-template-columns:11rem 1fr 8rem;gap:.6rem;align-items:center;font-size:.85rem}
.bar span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bar div{display:flex;height:.8rem;background:#8882}
.bar i{display:block;background:var(--kept)}.bar i+i{background:var(--gone)}
.key i{display:inline-block;width:.8rem;height:.8rem;background:var(--kept);margin:0 .3rem 0 1rem}\
.key i.g{background:var(--gone)}
svg{max-width:100%;height:auto;font-size:11px}svg text{fill:currentColor}svg .axis{stroke:var(--line)}
.dot{fill:var(--kept);fill-opacity:.45}.same{stroke:var(--gone)}rect.bin{fill:var(--kept)}
</style></head><body>
"""


def write_page(path: Path, body: str, **values: Any) -> None:
    """Render a template below the common head."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = environment.from_string(_HEAD + body + "</body></html>\n").render(**values)
    with atomic(path) as beside:
        beside.chmod(0o600)
        beside.write_text(text, encoding="utf-8")
