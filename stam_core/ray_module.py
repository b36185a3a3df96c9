"""Ray, an optional extra, imported quietly and nowhere else."""

from __future__ import annotations

import importlib
import logging
import os
from typing import Any

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its remarks are for its developers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
# Ray's own switch for systems with a firewall of their own; an address of 127.0.0.1 that is asked
# for openly is replaced by one that the network can reach.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# For its `init`: what fails is reported by us.
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def import_ray(part: str, *, local: bool = False) -> Any:  # noqa: ANN401 - an optional module
    """Ray and one of its parts, without usage statistics.

    Args:
        part: "data" or "serve".
        local: its cluster will be this machine alone and is to listen on loopback only.

    Raises:
        ImportError: it is not installed.
    """
    for name, value in {**_ENVIRONMENT, **(_LOOPBACK if local else {})}.items():
        os.environ.setdefault(name, value)  # read by Ray when it is imported
    ray = importlib.import_module("ray")
    importlib.import_module(f"ray.{part}")
    return ray
