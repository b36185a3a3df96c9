"""Videos decoded in processes of their own: a hostile file costs one sentence, not the program.

DecoderPool (pool.py)  --request, open file-->  worker.py, confined by confine.py
<--facts as JSON, frames in shared memory (memory.py)--
"""

from __future__ import annotations

from stam_core.errors import OpeningCancelledError
from stam_core.video.apart.pool import DecoderPool, default_pool

__all__ = ["DecoderPool", "OpeningCancelledError", "default_pool"]
