"""`uttag link` with suggested settings alone, on sets with known answers that nobody here made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks.linkage import score
from pipelines.linkage.suggest import suggest
from workflows import link as linkage

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "linkage"

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data are not there")

SETS = {
    "fake_1000": (("fake_1000",), "unique_id", 0.86),
    "febrl3": (("febrl_dataset3",), "rec_id", 0.9995),
    "febrl4": (("febrl_dataset4a", "febrl_dataset4b"), "rec_id", 0.9996),
    "historical_50k": (("historical_figures_with_errors_50k",), "unique_id", 0.88),
}


@pytest.mark.parametrize("name", SETS)
def test_suggested_settings_do_better_than_the_peers_at_their_best(tmp_path: Path, name: str) -> None:
    files, id_column, least = SETS[name]
    paths = [REFERENCE / f"{file}.parquet" for file in files]
    (tmp_path / "link.yaml").write_text(suggest(paths, id_column).text)
    linkage.run(tmp_path / "link.yaml", tmp_path, lambda _line: None)
    clusters = pq.read_table(tmp_path / "clusters.parquet")
    persons = np.concatenate(
        [np.array(pq.read_table(path, columns=["cluster"])["cluster"].to_pylist()) for path in paths]
    )
    source = np.unique(clusters["source"].to_pylist(), return_inverse=True)[1] if len(paths) > 1 else None
    found = score.clusters(
        clusters["cluster_id"].to_numpy(), np.unique(persons, return_inverse=True)[1], source
    )
    assert found["f1"] > least


def test_the_answers_and_the_names_of_records_are_no_evidence(tmp_path: Path) -> None:
    suggested = yaml.safe_load(suggest([REFERENCE / "febrl_dataset3.parquet"], None).text)
    assert suggested["data"][0]["id"] == "rec_id"
    assert not {"rec_id", "cluster"} & {field["column"] for field in suggested["fields"].values()}
