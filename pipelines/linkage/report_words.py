"""How a linkage report writes its numbers."""

from __future__ import annotations


def bits(value: float) -> str:
    """A weight, with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def count(value: float | None) -> str:
    """A whole number, or a dash."""
    return "–" if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share in percent, or a dash."""
    return "–" if value is None else f"{value:.2%}"


def chance(value: float) -> str:
    """m or u."""
    return f"{value:.4f}" if value >= 0.001 else f"{value:.1e}"


def odds(value: float) -> str:
    """The probability that a match weight, prior included, stands for."""
    probability = 1 / (1 + 2 ** -max(min(value, 60.0), -60.0))
    return (
        f"{probability:.2%}"
        if 0.0001 <= probability <= 0.9999
        else (f"below {0.0001:.2%}" if value < 0 else f"above {0.9999:.2%}")
    )
