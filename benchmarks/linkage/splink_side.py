"""Splink's side: python -m benchmarks.linkage.splink_side FOLDER, or --set NAME. Prints one line of JSON."""

from __future__ import annotations

import json
import logging
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from splink import DuckDBAPI, Linker

from benchmarks.linkage import rules, score, sets
from benchmarks.linkage.splink_models import MODELS, Model
from benchmarks.linkage.used import Used


def _linker(connection: Any, records: sets.Records, model: Model) -> Linker:
    database = DuckDBAPI(connection=connection)
    frames = []
    for number, file in enumerate(records.files):
        connection.execute(
            f"create table source_{number} as select {model.derived or '*'} from {rules.parquet(file)}"
        )
        frames.append(database.register(connection.sql(f"from source_{number}")))
    link_type = "dedupe_only" if len(frames) == 1 else "link_only"
    return Linker(frames if len(frames) > 1 else frames[0], model.settings(link_type))


def _train(linker: Linker, model: Model) -> None:
    training = linker.training
    training.estimate_probability_two_random_records_match(list(model.certain), recall=model.recall)
    training.estimate_u_using_random_sampling(max_pairs=model.sampled, seed=1)
    for rule in model.training:
        training.estimate_parameters_using_expectation_maximisation(
            rule, estimate_without_term_frequencies=True
        )


def _answers(
    records: sets.Records, model: Model, connection: Any, predicted: Any, clustered: Any
) -> dict[str, Any]:
    ids, person, source = records.ids(), records.persons(), records.sources()
    true = score.true_pairs(person, source)
    columns = f"{model.unique}_l, {model.unique}_r, match_probability, match_weight"
    found = connection.sql(f"select {columns} from {predicted.physical_name}").fetchnumpy()
    left, right = (score.ranks(found[f"{model.unique}_{side}"].astype("U"), ids) for side in "lr")
    sure = np.asarray(found["match_probability"]) >= rules.PROBABILITY
    groups = connection.sql(f"select {model.unique}, cluster_id from {clustered.physical_name}").fetchnumpy()
    cluster = np.empty(len(ids), object)
    cluster[score.ranks(groups[model.unique].astype("U"), ids)] = groups["cluster_id"]
    return {
        "true_pairs": true,
        "pairwise": score.pairs(left[sure], right[sure], person, true),
        "best": score.best(left, right, np.asarray(found["match_weight"]), person, true),
        "clustered": score.clusters(cluster.astype("U"), person, source),
    }


def run(name: str, records: sets.Records) -> dict[str, Any]:
    """Link, and give what it used and how good it was."""
    used, model, connection = Used(), MODELS[name], duckdb.connect()
    connection.execute("set enable_progress_bar = false")
    with used.phase("load"):
        linker = _linker(connection, records, model)
    with used.phase("train"):
        _train(linker, model)
    with used.phase("predict"):
        predicted = linker.inference.predict(threshold_match_probability=model.floor)
    with used.phase("cluster"):
        clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, rules.PROBABILITY)
    figures = used.figures()
    made = rules.count_pairs(connection, "source_0") if name == "people" else None
    versions = {package: metadata.version(package) for package in ("splink", "duckdb")}
    answers = _answers(records, model, connection, predicted, clustered)
    return {
        "engine": "splink",
        "versions": versions,
        "records": len(records.ids()),
        "pairs": made,
        **figures,
        **answers,
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
