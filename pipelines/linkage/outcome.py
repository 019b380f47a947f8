"""What a linkage leaves behind: clusters, links, the model in numbers, a report, and pairs for people to
decide."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.files import people
from pipelines.linkage.described import describe
from pipelines.linkage.engine import MARGIN, Linked, numbered
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.report import Doubtful, Example, Member, Step, write_report
from pipelines.linkage.review import Record, Shown, write_review
from pipelines.linkage.review_sample import sample_for_review
from pipelines.linkage.training import SCALE, level_of

_SHOWN = 10  # doubtful clusters, and records of each
_EXAMPLES = (20.0, 4.0, 0.5, -0.5, -4.0)  # bits beside the threshold, near which a pair is explained


class Outcome:
    """A linkage and how to show it. `paths`: of the tables, if values of records may be shown."""

    def __init__(self, settings: LinkSettings, linked: Linked, paths: Sequence[Path] = ()) -> None:
        self.settings, self.linked, self._paths = settings, linked, paths
        self._sources = [table.source for table in settings.data]
        self._said: dict[tuple[str, int], str | None] = {}

    def write(self, out: Path) -> dict[str, Any]:
        """`clusters.parquet` and `links.parquet`; returns what `model.json` says of them."""
        encoded = self.linked.encoded
        resolution = self.linked.resolution
        pairs = self.linked.pairs
        ids = self.linked.names.ids
        source, numbers = people.labels(encoded.sources, self._sources), self.cluster_numbers
        people.write({"source": source, "record_id": ids, "cluster_id": numbers}, out / "clusters.parquet")
        likely = np.flatnonzero(resolution.weights >= (self.settings.threshold - MARGIN / 2) * SCALE)
        left, right, bits = pairs.left[likely], pairs.right[likely], resolution.weights[likely] / SCALE
        people.write(
            {
                "left_source": people.taken(source, left),
                "left_id": people.taken(ids, left),
                "right_source": people.taken(source, right),
                "right_id": people.taken(ids, right),
                "weight": bits,
                "probability": 1 / (1 + np.exp2(-bits)),
                "same_cluster": resolution.label[left] == resolution.label[right],
            },
            out / "links.parquet",
        )
        return self.described(numbers)

    @cached_property
    def cluster_numbers(self) -> np.ndarray:
        """int64 (n,): clusters counted from 1 in the order of their first records."""
        return numbered(self.linked.resolution.label)

    def described(self, numbers: np.ndarray) -> dict[str, Any]:
        """The model and the clusters in counts. `numbers`: int64 (n,), the cluster of each record, from 1."""
        linked, resolution, pairs = self.linked, self.linked.resolution, self.linked.pairs
        sizes, number = np.unique(np.bincount(numbers)[1:], return_counts=True)
        above = resolution.weights >= self.settings.threshold * SCALE
        together = resolution.label[pairs.left] == resolution.label[pairs.right]
        compared = [name for name, field in self.settings.fields.items() if field.compare]
        return {
            **describe(resolution.model, linked.patterns, self.settings.threshold, compared),
            "blocking": [
                {**each, "new_pairs": new}
                for each, new in zip(linked.blocking.analysis(), linked.new, strict=True)
            ],
            "records": {
                name: int(count)
                for name, count in zip(self._sources, np.diff(linked.encoded.edges), strict=True)
            },
            "clusters": {
                "number": int(numbers.max(initial=0)),
                "sizes": {str(size): int(count) for size, count in zip(sizes, number, strict=True)},
                "links": int((above & together).sum()),
                "cut_links": int((above & ~together).sum()),
            },
        }

    def report(self, path: Path, model: dict[str, Any]) -> None:
        """The page for people."""
        pairs, clusters = self._explained(), self._weakest()
        ends = [
            int(side[position])
            for position in pairs
            for side in (self.linked.pairs.left, self.linked.pairs.right)
        ]
        self._read([*ends, *(record for members, _ in clusters for record in members)])
        examples = [self._example(position) for position in pairs]
        write_report(
            path,
            model,
            "Linkage of " + ", ".join(self._sources),
            examples,
            [self._cluster(*each) for each in clusters],
        )

    def review(self, path: Path, size: int) -> int:
        """Write pairs for people to decide; returns how many."""
        floor = (self.settings.threshold - MARGIN / 2) * SCALE
        kept = np.flatnonzero(self.linked.resolution.weights >= floor)
        sample = sample_for_review(
            self.linked.resolution.weights[kept] / SCALE, self.settings.threshold, size
        )
        positions = kept[sample.positions]
        self._read(
            [*self.linked.pairs.left[positions].tolist(), *self.linked.pairs.right[positions].tolist()]
        )
        shown = [self._pair(int(position)) for position in positions]
        write_review(path, sample, shown)
        return len(sample)

    def _pair(self, position: int) -> Shown:
        left, right = int(self.linked.pairs.left[position]), int(self.linked.pairs.right[position])
        values = {name: (self._value(name, left), self._value(name, right)) for name in self.settings.fields}
        return Shown(self._record(left), self._record(right), values)

    def _record(self, record: int) -> Record:
        return Record(self._sources[self.linked.encoded.sources[record]], str(self.linked.names.ids[record]))

    def _name(self, record: int) -> str:
        return " ".join(self._record(record))

    def _read(self, records: Sequence[int]) -> None:
        """Read what these records say, a column at a time."""
        self._said = {}
        edges = self.linked.encoded.edges
        for place, (table, path) in enumerate(zip(self.settings.data, self._paths, strict=bool(self._paths))):
            here = sorted({record for record in records if edges[place] <= record < edges[place + 1]})
            for name, field in self.settings.fields.items() if here else ():
                column = field.column if isinstance(field.column, str) else field.column.get(table.source)
                if column is not None and field.kind != "encoded":
                    texts = people.texts_at(path, column, [record - int(edges[place]) for record in here])
                    self._said |= {(name, record): text for record, text in zip(here, texts, strict=True)}

    def _value(self, field: str, record: int) -> str | None:
        return self._said.get((field, record))

    def _explained(self) -> list[int]:
        """Pairs well above, just above, just below and well below the threshold."""
        weights = self.linked.resolution.weights / SCALE - self.settings.threshold
        nearest = [int(np.argmin(np.abs(weights - wanted))) for wanted in _EXAMPLES] if len(weights) else []
        return list(dict.fromkeys(nearest))

    def _example(self, position: int) -> Example:
        pairs, model = self.linked.pairs, self.linked.resolution.model
        left, right = int(pairs.left[position]), int(pairs.right[position])
        table, steps = model.weights(), []
        for place, (name, levels) in enumerate(model.levels.items()):
            level = int(level_of(pairs.patterns[position : position + 1], place)[0])
            steps.append(
                Step(
                    name,
                    levels[level],
                    int(table[place, level]) / SCALE,
                    self._value(name, left),
                    self._value(name, right),
                )
            )
        return Example(
            self._name(left),
            self._name(right),
            tuple(steps),
            float(self.linked.resolution.weights[position]) / SCALE,
        )

    def _weakest(self) -> list[tuple[list[int], float]]:
        """The clusters with the weakest links, and the bits of those: of each record the strongest link
        counts that it has within the cluster."""
        pairs = self.linked.pairs
        label = self.linked.resolution.label
        weights = self.linked.resolution.weights
        together = label[pairs.left] == label[pairs.right]
        strongest = np.full(len(label), np.iinfo(np.int64).min, np.int64)
        for side in (pairs.left, pairs.right):
            np.maximum.at(strongest, side[together], weights[together])
        linked = np.flatnonzero(strongest > np.iinfo(np.int64).min)
        weakest = np.full(len(label), np.iinfo(np.int64).max, np.int64)
        np.minimum.at(weakest, label[linked], strongest[linked])
        chosen = np.argsort(weakest, kind="stable")[:_SHOWN]
        chosen = chosen[weakest[chosen] < np.iinfo(np.int64).max]
        return [
            (np.flatnonzero(label == cluster)[:_SHOWN].tolist(), float(weakest[cluster]) / SCALE)
            for cluster in chosen
        ]

    def _cluster(self, records: list[int], weakest: float) -> Doubtful:
        return Doubtful(
            str(int(self.cluster_numbers[records[0]])),
            tuple(self._member(record) for record in records),
            weakest,
        )

    def _member(self, record: int) -> Member:
        return Member(self._name(record), {name: self._value(name, record) for name in self.settings.fields})


def analysis(rules: Sequence[dict[str, Any]]) -> list[str]:
    """The blocking analysis as lines."""
    lines = [f"{'pairs at most':>15}  {'blocks':>10}  {'largest':>8}  {'s a core':>8}  rule"]
    for each in rules:
        largest = each["largest_blocks"][0] if each["largest_blocks"] else 0
        lines.append(
            f"{each['pairs_at_most']:>15,}  {each['blocks']:>10,}  {largest:>8,}  "
            f"{each['seconds_a_core']:>8}  {each['keys']}"
        )
    return lines
