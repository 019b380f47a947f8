"""Names of made-up people, more and less common ones."""

from __future__ import annotations

import numpy as np

_WOMEN = (
    "Anna Maria Margareta Elisabeth Eva Kristina Birgitta Karin Marie Elisabet Ingrid Christina Linnéa Sofia Kerstin Marianne Lena Helena "
    "Johanna Emma Sara Linda Inger Katarina Cecilia Elin Ulla Susanne Monica Gunilla Viktoria Emelie Malin Jenny Ida Louise Hanna Carina "
    "Irene Annika Birgit Anita Viola Julia Therese Yvonne Ulrika Åsa Alice Lisa Astrid Ebba Wilma Saga Freja Alva Selma Märta Agnes Fatima "
    "Amina Zahra Mariam Leyla Noor Aisha Zeynep Elif Magdalena Agnieszka Olena Natalia Svetlana Mei Linh Priya Ananya Hodan Fadumo Selam "
    "Shirin Parisa Nasrin Ana Lucía Carmen Chiara Giulia Aino Päivi Tuulikki Ragnhild Sólveig Ylva Torborg Gullan Bojan Siv Maj Barbro"
).split()
_MEN = (
    "Karl Erik Lars Anders Per Johan Nils Jan Lennart Gunnar Mikael Hans Olof Peter Gustav Fredrik Bengt Sven Bo Daniel Åke Göran "
    "Alexander Magnus Mats Martin Andreas Stefan John Leif Björn Mattias Henrik Ulf Thomas Jonas Christer Stig Rolf Robert David Emil "
    "Oskar Axel Hugo Oliver Elias William Liam Noah Adam Lucas Ludvig Viktor Rasmus Isak Mohammed Ahmed Ali Omar Hassan Ibrahim Yusuf "
    "Abdi Mustafa Mehmet Emre Piotr Krzysztof Oleksandr Dmitrij Wei Minh Arjun Rahul Abdirahman Dawit Reza Amir Babak José Miguel Marco "
    "Luca Matti Jukka Veikko Sigurður Tor Folke Sixten Ture Algot Ingemar Torsten Kjell Roland Conny Jörgen Håkan Pär Jesper"
).split()
_SONS = (
    "Ander Johan Karl Nil Erik Lar Ol Per Sven Gustaf Petter Jan Han Bengt Jon Magnu Danie Axel Matt Jakob Samuel Isak Bo Henrik Arvid "
    "Håkan Mårten Ing Abraham Pål Eli Göran Jöns Knut Rasmu Simon Thor Ivar Einar Algot"
).split()
_FIRST = (
    "Lind Berg Ek Sand Ny Sjö Holm Lund Nord Hög Ström Wall Björk Gran Hed Dal Sund Ås Öst Väster Söder Norr Skog Stål Silver Guld Rosen "
    "Blom Löv Alm Asp Hall Malm Fors Eng Åker Ring Land Hag Kvarn"
).split()
_SECOND = "ström berg kvist gren mark lund holm qvist dahl man blad stedt blom sten bäck gård wall rud strand vall".split()
_OTHER = (
    "Mohamed Ali Hassan Ahmed Hussein Abdi Yilmaz Kaya Demir Nowak Kowalski Petrovic Jovanovic Nguyen Tran Singh Kumar Chen Wang Tesfaye "
    "Haile Hosseini Ahmadi Karimi García Fernández Rossi Virtanen Korhonen Mäkinen Nieminen Hansen Olsen Jensen Müller Schmidt Haddad Khalil "
    "Warsame Farah Osman Ibrahimovic Popescu Ivanova Melnyk Kovalenko Santos Silva Smith Jones"
).split()


def _bytes(names: list[str]) -> np.ndarray:
    return np.array([name.encode() for name in names], "S32")


def _weights(count: int, power: float) -> np.ndarray:
    weights = 1 / np.arange(3, count + 3) ** power
    return np.cumsum(weights) / weights.sum()


GIVEN = {1: _bytes(_MEN), 2: _bytes(_WOMEN)}
SURNAMES = _bytes([f"{name}sson" for name in _SONS] + [a + b for b in _SECOND for a in _FIRST if a.lower() != b] + _OTHER)
_GIVEN_SHARES = {sex: _weights(len(names), 0.7) for sex, names in GIVEN.items()}
_SURNAME_SHARES = np.concatenate(
    [
        0.36 * _weights(len(_SONS), 1.1),
        0.36 + 0.44 * _weights(len(SURNAMES) - len(_SONS) - len(_OTHER), 0.6),
        0.80 + 0.20 * _weights(len(_OTHER), 0.8),
    ]
)


def given(rng: np.random.Generator, sex: np.ndarray) -> np.ndarray:
    """Given names, S32 (n,). `sex`: int8 (n,), 1 man, 2 woman. One in six has two."""
    out = np.empty(len(sex), "S32")
    for which, names in GIVEN.items():
        rows = np.flatnonzero(sex == which)
        first, second = (names[np.searchsorted(_GIVEN_SHARES[which], rng.random(len(rows)))] for _ in range(2))
        both = rng.random(len(rows)) < 1 / 6
        out[rows] = np.where(both, np.strings.add(np.strings.add(first, b" "), second), first)
    return out


def surnames(rng: np.random.Generator, count: int) -> np.ndarray:
    """Surnames, S32 (count,)."""
    return SURNAMES[np.minimum(np.searchsorted(_SURNAME_SHARES, rng.random(count)), len(SURNAMES) - 1)]
