"""Keyed hashing of rows: SipHash-2-4 (Aumasson and Bernstein, 2012) over fixed-width bytes and over integers.

Results are non-negative int64 (the top bit is cleared), so that a hash can stand as an identifier.
"""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled, inlined


@inlined
def _rotl(x: np.uint64, b: int) -> np.uint64:
    return np.uint64((x << np.uint64(b)) | (x >> np.uint64(64 - b)))


@compiled
def _round(v0, v1, v2, v3):  # type: ignore[no-untyped-def]
    v0 = np.uint64(v0 + v1)
    v1 = _rotl(v1, 13) ^ v0
    v0 = _rotl(v0, 32)
    v2 = np.uint64(v2 + v3)
    v3 = _rotl(v3, 16) ^ v2
    v0 = np.uint64(v0 + v3)
    v3 = _rotl(v3, 21) ^ v0
    v2 = np.uint64(v2 + v1)
    v1 = _rotl(v1, 17) ^ v2
    v2 = _rotl(v2, 32)
    return v0, v1, v2, v3


@compiled
def siphash(data: np.ndarray, length: int, k0: np.uint64, k1: np.uint64) -> np.uint64:
    """Of the first `length` bytes of `data`, uint8 (n,), under the two halves of a key."""
    v0 = k0 ^ np.uint64(0x736F6D6570736575)
    v1 = k1 ^ np.uint64(0x646F72616E646F6D)
    v2 = k0 ^ np.uint64(0x6C7967656E657261)
    v3 = k1 ^ np.uint64(0x7465646279746573)
    whole = length // 8
    for block in range(whole + 1):
        m = np.uint64(0)
        for j in range(min(8, length - 8 * block)):
            m |= np.uint64(data[8 * block + j]) << np.uint64(8 * j)
        if block == whole:
            m |= np.uint64(length & 0xFF) << np.uint64(56)
        v3 ^= m
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= m
    v2 ^= np.uint64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@compiled
def _hash_rows(rows: np.ndarray, k0: np.uint64, k1: np.uint64) -> np.ndarray:
    n, width = rows.shape
    out = np.empty(n, np.int64)
    for i in range(n):
        length = width
        while length > 0 and rows[i, length - 1] == 0:
            length -= 1
        out[i] = np.int64(siphash(rows[i], length, k0, k1) & np.uint64(0x7FFFFFFFFFFFFFFF))
    return out


def hash_rows(rows: np.ndarray, key: bytes) -> np.ndarray:
    """Keyed hash of each row's bytes, trailing zero bytes left out.

    `rows`: uint8 (n, width), or fixed-width bytes (n,) of numpy type ``S``. `key`: 16 bytes. Returns int64
    (n,), non-negative.
    """
    if rows.dtype.kind == "S":
        rows = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
    k0, k1 = np.frombuffer(key, "<u8", 2)
    return _hash_rows(rows, k0, k1)


def hash_integers(values: np.ndarray, key: bytes) -> np.ndarray:
    """Keyed hash of each integer. `values`: int64 (n,). `key`: 16 bytes. Returns int64 (n,), non-negative."""
    rows = np.ascontiguousarray(values, "<i8").view(np.uint8).reshape(len(values), 8)
    return hash_rows(rows, key)
