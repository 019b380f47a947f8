"""How `make docs` builds the site: every page of the repository that a reader needs, from the pages' own
places, so that their links hold in the repository and in the site alike. Nothing is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).parents[1]

project = "uttag"
html_title = "uttag"
language = "en"
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**.md"]
exclude_patterns = [".*", "build", "demo-site", "**/__pycache__"]
myst_heading_anchors = 4  # a heading can be linked to, as repositories show it
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_extra_path = ["site"]  # index.html, which leads to the first page
html_copy_source = False
html_show_copyright = False
html_static_path = ["site-style"]
html_css_files = ["uttag.css"]
highlight_language = "none"
pygments_style = "tango"
pygments_dark_style = "monokai"

# What the side of the site shows: short names of pages, whose own titles are the questions that they answer.
NAVIGATION = {
    "Start": [
        "Tutorial <docs/tutorial>",
        "Six studies <docs/studies>",
        "Your own site <docs/own-site>",
        "Glossary <docs/glossary>",
    ],
    "What a stage promises": [
        "Intake <docs/intake>",
        "Linkage <docs/linkage>",
        "… its history and uncertainty <docs/linkage-history>",
        "Store <docs/store>",
        "Cohort <docs/cohort>",
        "Aggregation and measures <docs/aggregation>",
        "Disclosure control <docs/disclosure>",
        "… what may stand in a table <docs/disclosure-codes>",
        "… over several releases <docs/disclosure-memory>",
        "Release and verification <docs/release>",
    ],
    "The engines on any tables": [
        "Linkage of any tables <docs/linkage-tables>",
        "… review by people <docs/linkage-review>",
        "… a living index <docs/linkage-living>",
        "… without identities <docs/linkage-encoded>",
        "Other methods than hiding <docs/disclosure-methods>",
        "Sums of a magnitude <docs/disclosure-sums>",
    ],
    "Run it": [
        "Operations <docs/operations>",
        "Clusters <docs/cluster>",
        "Scale <docs/scale>",
        "The made-up region <docs/synthetic>",
    ],
    "Look it up": [
        "Commands <docs/reference/commands>",
        "Settings <docs/reference/settings>",
        "Files between stages <docs/reference/files>",
        "Exit codes <docs/reference/exit-codes>",
        "Rules <docs/reference/rules>",
    ],
    "Change it": [
        "Contributing <CONTRIBUTING>",
        "Architecture <docs/architecture>",
        "Decisions <docs/decisions/index>",
        "Editors <docs/editors>",
        "Changelog <CHANGELOG>",
    ],
}


def _navigation(_app: Any, name: str, source: list[str]) -> None:
    """The tables of contents stand behind the pages, where the repository's readers do not see them."""
    if name == root_doc:
        source[0] += "".join(_contents(f":caption: {each}", pages) for each, pages in NAVIGATION.items())
    elif name == "docs/decisions/index":
        source[0] += _contents(":glob:", ["*"])


def _contents(option: str, pages: list[str]) -> str:
    listed = "\n".join(pages)
    return f"\n\n```{{toctree}}\n:hidden:\n{option}\n\n{listed}\n```\n"


class Folders(SphinxPostTransform):
    """A link to a folder of the repository is shown as text: the site has no page of it. Any other link that
    leads nowhere fails the build."""

    default_priority = 8  # before MyST, at 9, looks for a page

    def run(self, **_more: Any) -> None:
        """Replace each such link by its text."""
        for link in list(self.document.findall(addnodes.pending_xref)):
            here = (ROOT / f"{link.get('refdoc', '')}.md").parent
            if (here / str(link.get("reftarget", ""))).is_dir():
                link.replace_self(link.children)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _navigation)
    app.add_post_transform(Folders)
