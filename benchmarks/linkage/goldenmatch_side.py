"""goldenmatch's side: python -m benchmarks.linkage.goldenmatch_side FOLDER, or --set NAME. Prints one line of
JSON.

Made-up records: our rules as passes, our comparisons as bands of its scorers. It has no Damerau-Levenshtein
distance but a plain one, and no band "same year" or "same first three" beside another scorer. Other sets: its
own automatic Fellegi-Sunter settings, as it advises.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ |= {
    "GOLDENMATCH_ANALYTICS": "0",
    "GOLDENMATCH_AUTOCONFIG_MEMORY": "0",
    "GOLDENMATCH_AUTOCONFIG_LLM": "0",
}

import duckdb
import goldenmatch as gm
import numpy as np
import polars as pl
from goldenmatch.config import schemas
from goldenmatch.core import pipeline, probabilistic
from goldenmatch.core.autoconfig import auto_configure_probabilistic_df

from benchmarks.linkage import rules, score, sets
from benchmarks.linkage.used import Used, cpu


def _field(name: str, scorer: str, *bands: float, frequent: bool = False) -> schemas.MatchkeyField:
    return schemas.MatchkeyField(
        field=name, scorer=scorer, levels=len(bands) + 1, level_thresholds=list(bands), tf_adjustment=frequent
    )


def people() -> schemas.GoldenMatchConfig:
    """The settings for made-up records. `additive`: else a field of any rule would keep a fixed weight, and
    all are in some rule."""
    passes = []
    for rule in rules.RULES:
        cut = {field: [f"substring:0:{length}"] for field, length in rule if length}
        passes.append(
            schemas.BlockingKeyConfig(
                fields=[field for field, _ in rule], field_transforms=cut, additive=True
            )
        )
    fields = [
        _field("given", "jaro_winkler", 1.0, 0.92, 0.8, frequent=True),
        _field("surname", "jaro_winkler", 1.0, 0.92, 0.8, frequent=True),
        _field("birth", "levenshtein", 1.0, 0.89, 0.69),
        _field("city", "exact", 1.0, frequent=True),
        _field("postcode", "levenshtein", 1.0, 0.59),
        _field("street", "jaro_winkler", 1.0, 0.9),
        _field("number", "levenshtein", 1.0, 0.91, 0.83),
    ]
    matchkey = schemas.MatchkeyConfig(name="people", type="probabilistic", fields=fields)
    return schemas.GoldenMatchConfig(
        matchkeys=[matchkey], blocking=schemas.BlockingConfig(strategy="multi_pass", passes=passes)
    )


class Phases:
    """CPU seconds within named stages and functions of goldenmatch, which offers one call for everything."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        original = pipeline.stage

        @contextmanager
        def stage(name: str) -> Any:
            before = cpu()
            with original(name) as inner:
                yield inner
            self.seconds[name] = self.seconds.get(name, 0) + cpu() - before

        pipeline.stage = stage
        probabilistic.load_or_train_em = self._timed("train", probabilistic.load_or_train_em)
        pipeline._build_em_blocks = self._timed("train", pipeline._build_em_blocks)
        pipeline._score_probabilistic_matchkey = self._timed(
            "scoring", pipeline._score_probabilistic_matchkey
        )

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            before = cpu()
            out = function(*given, **named)
            self.seconds[name] = self.seconds.get(name, 0) + cpu() - before
            return out

        return timed


def _deduplicated(
    frame: pl.DataFrame, config: Any
) -> Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Run it; the answer, to be read outside the timing: pairs int64 (k, 2), scores (k,), clusters (n,).
    Linked pairs come first."""
    result = gm.dedupe_df(frame, config=config)

    def read() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = [*result.scored_pairs, *result.review_pairs]
        rows = list({(a, b): (a, b, s) for a, b, s in reversed(rows)}.values())
        cluster = np.arange(frame.height) + frame.height
        for number, group in result.clusters.items():
            cluster[np.asarray(group["members"])] = number
        table = np.array(rows, np.float64).reshape(-1, 3)
        read.linked = {(min(a, b), max(a, b)) for a, b, _ in result.scored_pairs}  # type: ignore[attr-defined]
        return table[:, :2].astype(np.int64), table[:, 2], cluster

    return read


def run(name: str, records: sets.Records) -> dict[str, Any]:
    """Link, and give what it used and how good it was."""
    used, phases = Used(), Phases()
    with used.phase("load"):
        frame = pl.concat([pl.read_parquet(file) for file in records.files])
        frame = (
            frame.drop("email", "record_id") if name == "people" else frame.drop(records.unique, "cluster")
        )
    with used.phase("all in one call"):
        config = people() if name == "people" else auto_configure_probabilistic_df(frame)
        read = _deduplicated(frame, config)
    figures = used.figures()
    seconds = phases.seconds
    train, scored = seconds.get("train", 0), seconds.get("scoring", 0)
    parts = {"train": train, "predict": scored - train, "cluster": seconds.get("cluster", 0)}
    figures["cpu_seconds"] |= {phase: round(value, 2) for phase, value in parts.items()}
    figures["stages"] = {stage: round(value, 2) for stage, value in seconds.items() if value > 0.05}
    pairs, scores, cluster = read()
    linked = read.linked  # type: ignore[attr-defined]
    sure = np.array([(a, b) in linked for a, b in pairs.tolist()], bool)
    person, source = records.persons(), records.sources()
    if source is not None:
        across = source[pairs[:, 0]] != source[pairs[:, 1]]
        pairs, scores, sure = pairs[across], scores[across], sure[across]
    true = score.true_pairs(person, source)
    made = rules.count_pairs(duckdb.connect(), rules.parquet(records.files[0])) if name == "people" else None
    versions = {
        package: metadata.version(package) for package in ("goldenmatch", "goldenmatch-native", "polars")
    }
    return {
        "engine": "goldenmatch",
        "versions": versions,
        "records": frame.height,
        "pairs": made,
        **figures,
        "true_pairs": true,
        "pairwise": score.pairs(pairs[sure, 0], pairs[sure, 1], person, true),
        "best": score.best(pairs[:, 0], pairs[:, 1], scores, person, true),
        "clustered": score.clusters(cluster, person, source),
    }


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    named = sys.argv[1] == "--set"
    print(
        json.dumps(
            run(sys.argv[2], sets.SETS[sys.argv[2]])
            if named
            else run("people", sets.made_up(Path(sys.argv[1])))
        )
    )
