"""Typing errors for whole columns at once: insert, delete, substitute, transpose."""

from __future__ import annotations

import numpy as np

LETTERS = np.array([ord(each) for each in "abcdefghijklmnoprstuvyåäö"], np.uint32)
DIGITS = np.array([ord(each) for each in "0123456789"], np.uint32)


def mistyped(rng: np.random.Generator, texts: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Each text with one typing error: text (str) (n,), one character wider than `texts`.

    `texts`: text (str) (n,); `keys`: uint32 (k,), code points that a slip may put in.
    """
    width = texts.dtype.itemsize // 4 + 1
    points = np.ascontiguousarray(texts, f"U{width}").view(np.uint32).reshape(len(texts), width)
    length = (points != 0).sum(1)
    kind = rng.integers(0, 4, len(texts))
    kind[length < 2] = 0
    at = (rng.random(len(texts)) * np.where(kind == 3, length - 1, length + (kind == 0))).astype(np.int64)
    place = np.arange(width)[None, :]
    insert, delete, swap = (kind == 0)[:, None], (kind == 1)[:, None], (kind == 3)[:, None]
    source = place - (insert & (place > at[:, None])) + (delete & (place >= at[:, None]))
    source = source + (swap & (place == at[:, None])) - (swap & (place == at[:, None] + 1))
    out = np.where(source < width, np.take_along_axis(points, np.minimum(source, width - 1), 1), 0)
    put = np.flatnonzero((kind == 0) | (kind == 2))
    out[put, at[put]] = keys[rng.integers(0, len(keys), len(put))]
    return np.ascontiguousarray(out, np.uint32).view(f"U{width}").ravel()


def mistype(rng: np.random.Generator, texts: np.ndarray, rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Texts with a typing error in some rows: text (str) (n,), one character wider.

    `texts`: text (str) (n,); `rows`: int64 (m,), which; `keys`: uint32 (k,), code points that a slip may put
    in.
    """
    wider = texts.astype(f"U{texts.dtype.itemsize // 4 + 1}")
    wider[rows] = mistyped(rng, texts[rows], keys)
    return wider
