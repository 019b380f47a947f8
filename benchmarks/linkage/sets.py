"""The records to link, made up or of others, as Parquet files with the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

REFERENCE = Path("../shared/reference/linkage")


@dataclass(frozen=True)
class Records:
    """Files with the records (two: link one to the other), where the truth stands, and what the columns are
    called."""

    files: tuple[Path, ...]
    truth: tuple[Path, ...]
    unique: str
    person: str

    def ids(self) -> np.ndarray:
        """Identifiers of all records, in the order of the files: text (str) (n,)."""
        return np.concatenate(
            [pq.read_table(file, columns=[self.unique])[0].to_numpy().astype("U") for file in self.truth]
        )

    def persons(self) -> np.ndarray:
        """Person numbers int64 (n,), in the same order."""
        labels = np.concatenate(
            [pq.read_table(file, columns=[self.person])[0].to_numpy().astype("U") for file in self.truth]
        )
        return np.unique(labels, return_inverse=True)[1]

    def sources(self) -> np.ndarray | None:
        """Which file each record is from, int64 (n,); None where there is one."""
        if len(self.files) == 1:
            return None
        return np.repeat(np.arange(len(self.files)), [pq.read_metadata(file).num_rows for file in self.files])


def made_up(folder: Path) -> Records:
    """What people.py wrote."""
    return Records((folder / "records.parquet",), (folder / "truth.parquet",), "record_id", "person")


def _reference(*names: str, unique: str) -> Records:
    files = tuple(REFERENCE / f"{name}.parquet" for name in names)
    return Records(files, files, unique, "cluster")


SETS = {
    "historical_50k": _reference("historical_figures_with_errors_50k", unique="unique_id"),
    "febrl3": _reference("febrl_dataset3", unique="rec_id"),
    "febrl4": _reference("febrl_dataset4a", "febrl_dataset4b", unique="rec_id"),
    "fake_1000": _reference("fake_1000", unique="unique_id"),
}
