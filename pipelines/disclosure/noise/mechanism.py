"""Discrete noise by OpenDP, as much as the privacy that is asked for needs. OpenDP is an extra: `pip install
uttag[noise]`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.errors import SettingsError


def library() -> Any:
    """OpenDP. Raises `SettingsError` where it is not installed."""
    try:
        import opendp.prelude as dp
    except ImportError:
        raise SettingsError(
            "specification: method",
            "noise needs OpenDP, which is not installed here",
            "pip install uttag[noise], or take another method",
        ) from None
    dp.enable_features("contrib")
    return dp


def noisy(count: np.ndarray, rows: int, epsilon: float, delta: float | None) -> tuple[np.ndarray, float]:
    """Counts with noise, int64 (n,), and the scale of it: discrete Laplace, or discrete Gaussian where there
    is a `delta`.

    `count`: int64 (n,). `rows`: by how much one person changes all counts together at most.
    """
    dp = library()
    domain = dp.vector_domain(dp.atom_domain(T=int))
    if delta is None:
        space = domain, dp.l1_distance(T=int)

        def make(scale: float) -> Any:
            return dp.m.make_laplace(*space, scale=scale)

        wanted: Any = epsilon
    else:
        space = domain, dp.l2_distance(T=int)

        def make(scale: float) -> Any:
            return dp.c.make_fix_delta(
                dp.c.make_zCDP_to_approxDP(dp.m.make_gaussian(*space, scale=scale)), delta
            )

        wanted = (epsilon, delta)
    scale = dp.binary_search_param(make, d_in=rows, d_out=wanted, T=float)
    return np.array(make(scale)(count.tolist()), np.int64), float(scale)
