"""What the made-up region is like: its time, its troubles with identity, its dirt. Every rate stands here and
nowhere else."""

from __future__ import annotations

from datetime import date
from typing import Final

_EPOCH = date(1970, 1, 1).toordinal()


def day(year: int, month: int, day_of_month: int) -> int:
    """Days since 1970-01-01."""
    return date(year, month, day_of_month).toordinal() - _EPOCH


CHUNK: Final = 50_000  # persons that are made and delivered together: one file of each table
START: Final = day(2015, 1, 1)
END: Final = day(2025, 6, 30)
LATE: Final = day(2025, 1, 1)  # what journal system B delivers a night late begins here
DELIVERED: Final = date(2025, 9, 1)
FIRST, SECOND, CORRECTED = "2025-09-01", "2025-10-01", "2025-09-01-corrected"
DELIVERED_SECOND: Final = date(2025, 10, 1)
YEAR: Final = 365.25

# Who there is: shares of all people.
PRESENT, BORN, ARRIVED = 0.76, 0.10, 0.14
EMIGRATION, MOVES = 0.012, 0.085  # a year
AGES: Final = (  # % by five years of age
    6.6, 6.3, 5.6, 5.2, 6.3, 8.0, 8.2, 7.6, 7.5, 7.2, 6.2, 5.6, 5.2, 4.8, 3.9, 2.6, 1.6, 1.0, 0.5, 0.1,
)  # fmt: skip
ARRIVAL_AGES: Final = (6, 5, 4, 6, 18, 22, 14, 8, 5, 4, 3, 2, 1, 1, 0.5, 0.3, 0.1, 0.1, 0, 0)
DEATHS: Final = (1.9e-5, 0.0985, 0.72)  # hazard of men at birth a year, growth a year of age, women to men

# Trouble with identity: shares of persons, or of the records that a source holds.
REUSED_NUMBERS: Final = 0.0004
UNREGISTERED: Final = 0.008  # known to care alone, by a reserve number, a samordningsnummer or no number
COORDINATED: Final = 0.015  # had a samordningsnummer before the personnummer
DOUBLE_RECORD: Final = 0.012  # has a second record in a journal, under a Stockholm reserve number
SURNAME_CHANGED: Final = 0.05
NUMBER_MISSING: Final = {"journal_a": 0.012, "journal_b": 0.008, "primarvard": 0.006}
NUMBER_TYPO: Final = {"journal_a": 0.004, "journal_b": 0.003, "primarvard": 0.003, "kvalitetsregister": 0.002}
NAME_TYPO: Final = {"journal_a": 0.02, "journal_b": 0.03}
NAMES_SWAPPED: Final = {"journal_a": 0.004, "journal_b": 0.002}
POSTCODE_OLD: Final = 0.10

# Dirty rows: shares of the rows of a table.
BAD_DATE: Final = 0.0004
UNKNOWN_CODE: Final = 0.0010
OUT_OF_RANGE: Final = 0.0005
UNKNOWN_UNIT: Final = 0.0004
DUPLICATE: Final = 0.0010
BEFORE_BIRTH: Final = 0.0003
AFTER_DELIVERY: Final = 0.0003

OPTED_OUT: Final = 0.004
CANARIES: Final = 5
