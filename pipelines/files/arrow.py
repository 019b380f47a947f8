"""The door to Arrow, which would load pandas to ask of what it is given whether it is one of pandas' frames:
a quarter of a second of every process."""

import pyarrow as pa

from kernels.absent import without

with without("pandas"):
    pa.scalar(0)

__all__ = ["pa"]
