"""Models on other machines: an engine that asks, replicas that answer, and Ray Serve in between.

    RemoteEngine --Work--> Caller (Ray Serve) --> Replica --> Engine

The front keeps everything but the model: files are decoded there, and what a person sees is drawn
there. A replica holds ordinary engines, so the numbers are theirs.
"""

from stam_core.remote.engine import RemoteEngine
from stam_core.remote.work import Caller, RemoteError

__all__ = ["Caller", "RemoteEngine", "RemoteError"]
