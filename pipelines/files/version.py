"""Which uttag this is, to the byte: results are named by the code that made them, too."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


@cache
def code_hash() -> str:
    """Hex digest over every source file of the stages and kernels: another line of code is another
    version."""
    digest = hashlib.blake2b(digest_size=20)
    here = Path(__file__).parents[1]
    for folder in (here, here.parent / "kernels"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(
                path.relative_to(folder.parent).as_posix().encode() + b"\0" + path.read_bytes() + b"\0"
            )
    return digest.hexdigest()


@cache
def kernels_hash() -> str:
    """Short hex digest over the kernels: what was compiled from others must not be taken for theirs, which
    numba does not see by itself."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted((Path(__file__).parents[2] / "kernels").glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
