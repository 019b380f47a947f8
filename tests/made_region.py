"""A small made-up region with known truth: who is who across a register, two journals and a pharmacy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

GIVEN = [
    "ANNA",
    "ERIK",
    "LARS",
    "KARIN",
    "MARIA",
    "PER",
    "EVA",
    "JAN",
    "KRISTINA",
    "NILS",
    "ÅSA",
    "BJÖRN",
    "INGRID",
    "OSKAR",
    "ELSA",
    "HUGO",
    "ALMA",
    "VERA",
    "SIGRID",
    "AXEL",
    "GUSTAV",
    "LINNÉA",
    "TORE",
    "MÄRTA",
    "JÖRAN",
    "SOLVEIG",
    "RAGNAR",
    "HEDVIG",
    "TYRA",
    "ALVA",
    "LEO",
    "MILO",
    "NOVA",
    "EBBA",
    "IVAR",
    "ESTER",
    "JULIA",
    "FRIDA",
    "KLARA",
    "SAGA",
    "VIDAR",
    "LOVISA",
    "TILDE",
    "RUT",
    "SIXTEN",
    "GRETA",
]
SURNAME = [
    "ANDERSSON",
    "JOHANSSON",
    "KARLSSON",
    "NILSSON",
    "ERIKSSON",
    "LARSSON",
    "OLSSON",
    "PERSSON",
    "SVENSSON",
    "GUSTAFSSON",
    "PETTERSSON",
    "JONSSON",
    "LINDBERG",
    "LINDSTRÖM",
    "BERGSTRÖM",
    "SANDBERG",
    "FORSBERG",
    "SJÖBERG",
    "HOLM",
    "ÅKESSON",
    "ÖBERG",
    "NYSTRÖM",
    "HOLMQVIST",
    "EKLUND",
    "BLOMQVIST",
    "WALLIN",
    "HEDLUND",
    "SUNDIN",
    "FRANSSON",
    "DAHLBERG",
    "KANTZOW",
    "TRULSSON",
    "BRÄNNSTRÖM",
    "YLIPÄÄ",
    "KUOPPALA",
    "MÖLLER",
    "ZETTERLUND",
    "RYDQVIST",
    "GYLLENHAMMAR",
    "VASS",
    "FÄLT",
    "QUIST",
    "HÖÖK",
]


@dataclass(frozen=True)
class Region:
    """Identity rows by source, and the true person of each (source, ref)."""

    rows: dict[str, list[dict[str, Any]]]
    truth: dict[tuple[str, str], int]


def luhn(digits: str) -> str:
    """Check digit of nine digits."""
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(digits))
    return str(-total % 10)


def number(birth: date, serial: int) -> str:
    """A personnummer of twelve digits."""
    body = f"{birth:%Y%m%d}{serial:03d}"
    return body + luhn(body[2:])


def region(seed: int, people: int, trouble: float = 0.3) -> Region:
    """People with a register row each and most with journal rows, of which a share of `trouble` has no usable
    number and often a slip."""
    random = np.random.default_rng(seed)
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("folkbokforing", "journal_a", "journal_b", "lakemedel")
    }
    truth: dict[tuple[str, str], int] = {}

    def add(source: str, person: int, row: dict[str, Any]) -> None:
        row = {**row, "ref": f"{person}-{len(rows[source])}"}
        rows[source].append(row)
        truth[source, row["ref"]] = person

    for person in range(people):
        birth = date(1930, 1, 1) + timedelta(int(random.integers(0, 33_000)))
        sex = int(random.integers(1, 3))
        own = {
            "number": number(birth, int(random.integers(1, 999))),
            "given": GIVEN[int(random.integers(len(GIVEN)))],
            "surname": SURNAME[int(random.integers(len(SURNAME)))],
            "birth": birth.isoformat(),
            "sex": sex,
            "postcode": f"1{random.integers(10, 99)} {random.integers(10, 99)}",
            "since": birth.isoformat(),
        }
        add("folkbokforing", person, own)
        for source in ("journal_a", "journal_b"):
            if random.random() < 0.6:
                add(
                    source,
                    person,
                    _troubled(random, own) if random.random() < trouble else {**own, "since": None},
                )
        if random.random() < 0.5:
            add("lakemedel", person, {"number": own["number"], "kind": "token"})
    return Region(rows, truth)


def _troubled(random: np.random.Generator, own: dict[str, Any]) -> dict[str, Any]:
    row = {**own, "since": None}
    if random.random() < 0.5:
        row |= {"number": "", "kind": "none"}
    else:
        place = int(random.integers(8, 12))
        slip = str((int(own["number"][place]) + int(random.integers(1, 9))) % 10)
        row |= {"number": own["number"][:place] + slip + own["number"][place + 1 :], "kind": "invalid"}
    what = int(random.integers(0, 5))
    if what == 0:
        row["given"], row["surname"] = own["surname"], own["given"]
    elif what == 1:
        place = int(random.integers(1, len(own["surname"])))
        row["surname"] = own["surname"][:place] + own["surname"][place + 1 :]
    elif what == 2:
        row["postcode"] = ""
    elif what == 3:
        row["given"] = own["given"] + " " + GIVEN[int(random.integers(len(GIVEN)))]
    return row


def pair_quality(truth: list[int], found: list[int]) -> tuple[float, float]:
    """Precision and recall over pairs of records."""

    def pairs(*labels: list[int]) -> int:
        return sum(
            n * (n - 1) // 2 for n in np.unique(np.array(labels).T, axis=0, return_counts=True)[1].tolist()
        )

    both = pairs(truth, found)
    return both / max(pairs(found), 1), both / max(pairs(truth), 1)
