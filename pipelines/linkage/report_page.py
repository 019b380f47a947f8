"""The page of a linkage report: its form, without what is in it."""

from __future__ import annotations

from functools import cache

import jinja2


@cache
def template() -> jinja2.Template:
    """The page; what it asks for and is not given, it does not forgive."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_PAGE)


_PAGE = """\
{% macro data(table, words="The numbers") %}
<details><summary>{{ words }}</summary><div class="scroll" tabindex="0"><table>
<thead><tr>
{% for name in table.header %}
<th scope="col"{% if loop.index0 >= table.numeric %} class="n"{% endif %}>{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in table.rows %}
<tr>{% for cell in row %}<td{% if loop.index0 >= table.numeric %} class="n"{% endif %}>{{ cell }}</td>\
{% endfor %}</tr>
{% endfor %}
</tbody></table></div></details>
{% endmacro %}
{% macro figure(chart) %}
{% if chart.svg %}
<figure>{{ chart.svg }}{% if chart.caption %}<figcaption>{{ chart.caption }}</figcaption>{% endif %}</figure>
{{ data(chart.data) }}
{% else %}
<p class="soft">Nothing to show.</p>
{% endif %}
{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; --ink: #1c2430; --soft: #566273; --line: #d9dee5; --ground: #ffffff; \
--tint: #f3f6f9;
  --bar: #6b7f95; --for: #1a7f6b; --against: #c2571a; --mark: #0b5e8a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf1; --soft: #a3afbd; --line: #33404f; \
--ground: #141a21; --tint: #1c242d;
  --bar: #8496a9; --for: #4fbfa6; --against: #e58a4e; --mark: #6db8e6; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.2rem clamp(.8rem, 4vw, 2.5rem) 4rem;
  background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: clamp(1.4rem, 4vw, 2rem); line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .5rem; padding-top: .8rem; border-top: 2px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; overflow-wrap: anywhere; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
a { color: var(--mark); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
.first { font-size: 1.08rem; }
.soft, figcaption, summary { color: var(--soft); font-size: .9rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem; \
margin: 1rem 0; padding: 0;
  list-style: none; }
.facts li { background: var(--tint); border-radius: .5rem; padding: .6rem .8rem; }
.facts b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
figure { margin: .8rem 0 .4rem; }
figure svg { display: block; max-width: 52rem; font: 12px system-ui, "Segoe UI", Roboto, sans-serif; \
font-variant-numeric: tabular-nums; }
svg text { fill: var(--ink); }
svg .head { font-weight: 600; }
svg .axis { stroke: var(--soft); } svg .grid { stroke: var(--line); }
svg .bar { fill: var(--bar); } svg .for { fill: var(--for); } svg .against { fill: var(--against); }
svg .precision, svg .recall { fill: none; stroke-width: 2.2; }
svg .precision { stroke: var(--for); } svg .recall { stroke: var(--against); stroke-dasharray: 7 4; }
svg .threshold { stroke: var(--mark); stroke-width: 2; stroke-dasharray: 2 3; }
details { margin: .3rem 0 1rem; }
summary { cursor: pointer; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; margin: .4rem 0; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line); }
.n { text-align: right; white-space: nowrap; } .name { white-space: nowrap; }
@media print { details > * { display: block; } }
</style>
</head>
<body>
<header>
<h1>{{ title }}</h1>
<p class="first">{{ summary }}</p>
<ul class="facts">
{% for name, value in facts %}
<li><b>{{ value }}</b>{{ name }}</li>
{% endfor %}
</ul>
{% if notes %}
<ul>
{% for note in notes %}
<li>{{ note }}</li>
{% endfor %}
</ul>
{% endif %}
<nav aria-label="Contents">
{% for place, name in places %}
<a href="#{{ place }}">{{ name }}</a>
{% endfor %}
</nav>
</header>
<main>
<section id="weights">
<h2>Match weights</h2>
{{ figure(weights) }}
</section>
<section id="levels">
<h2>What agreement says: m and u</h2>
<p class="soft">m: how often a level is seen where both records are one person. \
u: how often where they are two.
The weight is the logarithm of m over u, to base 2.</p>
{% for field in levels %}
<h3>{{ field.name }}</h3>
<div class="scroll" tabindex="0"><table>
<thead><tr>
<th scope="col">level</th><th scope="col" class="n">m</th><th scope="col" class="n">u</th>\
<th scope="col" class="n">bits</th>
</tr></thead>
<tbody>
{% for level, m, u, bits in field.levels %}
<tr><td>{{ level }}</td><td class="n">{{ m }}</td><td class="n">{{ u }}</td><td class="n">{{ bits }}</td></tr>
{% endfor %}
</tbody></table></div>
<p class="soft">
{% if field.trained_by %}
m learned from the rules {{ field.trained_by|join("; ") }}.
{% else %}
No rule could teach m: it is what is believed beforehand.
{% endif %}
{% if field.rarity %}
A value's rarity adds {{ field.rarity }}.
{% endif %}
</p>
{% endfor %}
{% if together %}
<p>Fields that go together, whose weights are corrected for it:</p>
<ul>
{% for each in together %}
<li>{{ each }}</li>
{% endfor %}
</ul>
{% endif %}
</section>
<section id="threshold">
<h2>Threshold</h2>
<p class="soft">What the model expects of itself. Review a sample of pairs to learn what is so.</p>
{{ figure(curve) }}
</section>
<section id="pairs">
<h2>Pairs by weight</h2>
{{ figure(histogram) }}
</section>
<section id="blocking">
<h2>Blocking</h2>
{{ figure(blocking) }}
</section>
<section id="clusters">
<h2>Clusters</h2>
{% if kept_apart %}
<p>{{ kept_apart }}</p>
{% endif %}
{{ figure(sizes) }}
</section>
<section id="examples">
<h2>Pairs explained</h2>
{% for each in examples %}
<h3>{{ each.left }} and {{ each.right }}</h3>
{{ figure(each.chart) }}
{% else %}
<p class="soft">No pair was chosen.</p>
{% endfor %}
</section>
<section id="review">
<h2>Clusters to review</h2>
{% for each in doubtful %}
<h3>{{ each.name }}</h3>
<p class="soft">{{ each.rows|length }} records; weakest link {{ each.weakest }}</p>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">record</th>{% for name in each.fields %}<th scope="col">{{ name }}</th>\
{% endfor %}</tr></thead>
<tbody>
{% for name, values in each.rows %}
<tr><td class="name">{{ name }}</td>{% for value in values %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% if not each.fields %}<p class="soft">Values are not shown here.</p>{% endif %}
{% else %}
<p class="soft">None.</p>
{% endfor %}
</section>
<section id="run">
<h2>The run</h2>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">phase</th><th scope="col" class="n">CPU seconds</th></tr></thead>
<tbody>
{% for phase, seconds in used %}
<tr><td>{{ phase }}</td><td class="n">{{ seconds }}</td></tr>
{% endfor %}
</tbody></table></div>
<p class="soft">Memory at its peak: {{ peak }} MiB.</p>
</section>
</main>
</body>
</html>
"""
