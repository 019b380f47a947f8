"""Pools of made-up Swedish-looking names, streets and cities, built from syllables; the common ones stand
first."""

from __future__ import annotations

import numpy as np

Texts = np.ndarray
"""Unicode texts of one width, (n,)."""

_GIVEN = (
    "Al An As Bir Bod Cla Da Eb El Em Er Fre Fri Ger Gu Han Hel Ing Iv Jo Kar Ker Kris Lei Lin Lov Ma Mo Ni "
    "Ol Os Pe Ri Si So Sti Sun Tor "
    "Ul Val Vi Wil Åk Ås Är Ör",
    "a an be di e fri gi i il ja ka la li ma na o ri sa sti ti va vi",
    "a as ar bert björn da de dis e ert frid gerd hild il in ina is ja k la lin mar na ne nja on ra rik s "
    "ta te th to var ve vin",
)
_SURNAME = (
    "Ahl Alm Asp Berg Björk Blom Bo Bro Dahl Ek Eng Fjäll Fors Fur Gran Grön Hag Hav Hed Holm Häll Kall "
    "Klint Lager Lilje Lind Lund Löv "
    "Mal Mo Nor Ny Nyl Ost Palm Rosen Rud Rönn Sand Sjö Skog Sol Strand Ström Sten Söder Tall Ting Val "
    "Vester Vik Åker Ås Älv Öst",
    "berg blad blom bo by bäck dal eby ell fors fält gren gård hag hed hem holm is krantz kvist land lid "
    "lind lund löf man mark mo ner "
    "quist ros rot sjö skog stam sten strand ström stedt säter ung vall vik wall ås äng ö",
)
_SONS = (
    "Ander Johan Karl Nil Erik Lar Ol Per Svens Gustav Jon Jan Han Bengt Peter Persson Håkan Mån Göran "
    "Arvid Fredrik Isak Mattia Axel"
)
_STREET = (
    "Björk Ek Gran Tall Skol Kyrk Stor Ny Norra Södra Östra Väster Kvarn Ängs Sjö Strand Berg Bruks Fabriks "
    "Hamn Jär Kungs Drottning Linné "
    "Parallell Ring Skogs Slotts Smed Sol Station Trädgård Violin Åker Rosen Lilje Hassel Lönn Rönn Alm "
    "Humle Backe Höjd Dal",
    "backen stigen gatan vägen gränd allén torget",
)
_CITY = (
    "Al Arv Bo Bor Es Fal Gä Häls Jön Kal Karl Kö Lin Lu Mal Mjöl Nor Ny Ör Öster Sand Skel Sö Sund Tro "
    "Udde Upp Var Väst Vis Ång Äng",
    "borg by fors hamn holm köping mora måla näs rum sala stad sund torp tuna valla vik åker ö",
)


def _built(rng: np.random.Generator, parts: tuple[str, ...], count: int) -> Texts:
    """The `count` first of all joined parts, in random order."""
    texts = np.array(parts[0].split())
    for part in parts[1:]:
        texts = np.strings.add(texts[:, None], np.array(part.split())[None, :]).ravel()
    return rng.permutation(np.unique(texts))[:count]


def pools(rng: np.random.Generator, records: int) -> dict[str, Texts]:
    """Texts by field. More records see more rare names and more places, as in a larger country."""
    growth = max(records, 10_000) / 1_000_000
    sons = np.array([f"{stem.removesuffix('s').removesuffix('son')}sson" for stem in _SONS.split()])
    surnames = np.concatenate([sons, _built(rng, _SURNAME, int(2_400 * min(growth, 1) ** 0.5))])
    streets = _built(rng, _STREET, 400)
    return {
        "given": _built(rng, _GIVEN, int(3_000 * growth**0.5)),
        "surname": surnames,
        "street": streets,
        "city": _built(rng, _CITY, int(300 * min(growth, 2) ** 0.5) + 50),
    }


def zipf(rng: np.random.Generator, size: int, count: int, power: float, shift: float = 3) -> np.ndarray:
    """Indices int32 (count,) below `size`, the n-th with a share of 1 / (n + shift) ** power."""
    shares = np.cumsum(1 / (np.arange(size) + shift) ** power)
    return np.minimum(np.searchsorted(shares, rng.random(count) * shares[-1]), size - 1).astype(np.int32)
