"""What measures derive from a protected cube, in memory and sealed on disk: figures by cell, and a plot with
its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.files import described, documents, sealed
from pipelines.files.frames import Category, Frame
from pipelines.files.sealing import Zone

Columns = dict[str, tuple[str, ...]]  # text as it will be printed, "" where there is nothing to print


@dataclass(frozen=True)
class Plot:
    """A picture as SVG, what it shows in words (`alt`), and the numbers in it."""

    title: str
    alt: str
    svg: str
    data: Columns


@dataclass(frozen=True)
class Figures:
    """`columns`: one text for each cell of the table, in its order; `meanings`: what each column says;
    `shown`: columns that stand beside the counts on a page; `notes`: how they were made, in words."""

    table: str
    columns: Columns
    meanings: dict[str, str]
    plot: Plot
    shown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write_figures(figures: Figures, folder: Path, zone: Zone) -> None:
    """Write to `folder`, sealed; the description beside it is plain, and sealed with it."""
    plot = figures.plot
    about = {
        "table": figures.table,
        "columns": list(figures.columns),
        "meanings": figures.meanings,
        "title": plot.title,
        "alt": plot.alt,
        "data": list(plot.data),
        "shown": list(figures.shown),
        "notes": list(figures.notes),
    }
    parts: dict[str, Columns] = {"figures": figures.columns, "data": plot.data, "svg": {"svg": (plot.svg,)}}
    for kind, columns in parts.items():
        described.write(
            _frame(columns),
            folder / f"{figures.table}.{kind}.parquet",
            dict.fromkeys(columns, "category"),
            zone,
            about,
            folder / f"{figures.table}.json",
        )


def read_figures(folder: Path, table: str, zone: Zone) -> Figures:
    """Figures of one table. Raises `VerificationError` where they are described otherwise than they were
    sealed."""
    about: dict[str, Any] = documents.read_json(folder / f"{table}.json")

    def read(kind: str, names: list[str]) -> Columns:
        described.check(about, folder / f"{table}.json", folder / f"{table}.{kind}.parquet", zone)
        frame = sealed.read(folder / f"{table}.{kind}.parquet", dict.fromkeys(names, "category"), zone)
        return {
            name: tuple(text or "" for text in column.decoded())
            for name, column in frame.items()
            if isinstance(column, Category)
        }

    plot = Plot(about["title"], about["alt"], read("svg", ["svg"])["svg"][0], read("data", about["data"]))
    columns = read("figures", about["columns"])
    return Figures(
        table=table,
        columns=columns,
        meanings=about["meanings"],
        plot=plot,
        shown=tuple(about["shown"]),
        notes=tuple(about["notes"]),
    )


def _frame(columns: Columns) -> Frame:
    out: Frame = {}
    for name, texts in columns.items():
        labels, index = np.unique(np.array(texts, object).astype(str), return_inverse=True)
        out[name] = Category.of([str(label) for label in labels], index.astype(np.int32))
    return out
