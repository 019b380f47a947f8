"""One chunk of the made-up region: its people with all that care holds on them, from which every source takes
its part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.synthetic.care import Entries
from pipelines.synthetic.illness import PRIMARY, Contacts
from pipelines.synthetic.people import People
from pipelines.synthetic.writing import chosen

Truth = tuple[pa.Array, np.ndarray]  # a source's own references as strings, and the true persons behind them


@dataclass(frozen=True)
class Region:
    """One chunk of people with all that care holds on them. `provider`: int8 by contact; `postcode`: S5 by
    person."""

    people: People
    onset: np.ndarray
    contacts: Contacts
    provider: np.ndarray
    diagnoses: Entries
    measures: Entries
    laboratory: Entries
    residences: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    home: np.ndarray
    postcode: np.ndarray
    token_key: bytes

    @property
    def chunk(self) -> int:
        return self.people.chunk


JOURNAL_A, JOURNAL_B, PRIMARY_CARE = 0, 1, 2


def providers(people: People, contacts: Contacts, rng: np.random.Generator) -> np.ndarray:
    """Who gave the care, int8 (n,): primary care mostly its own system, hospitals by where the person
    lives."""
    crossed = people.southern[contacts.who] ^ (rng.random(len(contacts)) < 0.08)
    hospital = np.where(crossed, JOURNAL_B, JOURNAL_A)
    own = (contacts.setting == PRIMARY) & (rng.random(len(contacts)) < 0.9)
    return np.where(own, PRIMARY_CARE, hospital).astype(np.int8)


def sexes(sex: np.ndarray, man: str, woman: str) -> pa.Array:
    """The source's words for the sexes. `sex`: int8 (n,), 1 for a man."""
    return chosen([man, woman], np.where(sex == 1, 0, 1))
