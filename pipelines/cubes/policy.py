"""What a release must withstand, as the permit says it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.files.yaml import Strict


class Policy(Strict):
    """The rule on persons. A cell is small if 1 to `minimum` - 1 persons stand behind it.

    `zeros`: `open` shows a cell of nobody as 0; `protected` treats it as small. The least minimum is 3: below
    it an attacker who knows which cells are small knows their values too.
    """

    minimum: int = Field(5, ge=3, le=1000)
    zeros: Literal["open", "protected"] = "open"
