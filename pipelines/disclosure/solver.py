"""HiGHS as the methods use it: one thread, no output, the same answer each time."""

from __future__ import annotations

import highspy

Option = bool | int | float | str


class Solver(highspy.Highs):
    """HiGHS without its banner and without callbacks, which nobody here listens to."""

    def __init__(self, **options: Option) -> None:
        """`options`: by HiGHS' own names, besides `threads` 1."""
        super().__init__()
        for option, value in {"threads": 1, **options}.items():
            self.setOptionValue(option, value)

    def enableCallbacks(self) -> None:  # noqa: N802 - HiGHS' own name
        """Called when a solver is made, before it would print: silence it. The list of callbacks, which holds
        the solver itself, is emptied, so that its memory is free as soon as nobody names it."""
        self.silent()
        self.callbacks = []
