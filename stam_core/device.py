"""Where a model runs, and in which numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from stam_core.errors import ParameterError, UnknownNameError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(device: str) -> torch.device:
    """The device called `device`; "auto": a CUDA GPU where there is one, else the CPU.

    Raises:
        ParameterError: No such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ParameterError(
            f"Device {device!r} is not usable here ({str(error).splitlines()[0]}). "
            "Use 'auto' or 'cpu'."
        ) from None
    return chosen


def has_native_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; emulated it is several times slower."""
    report: Callable[[], dict[str, Any]] | None = getattr(torch.cpu, "get_capabilities", None)
    capabilities = report() if report is not None else {}
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The type of the spatial stage's matrix products; "auto": bfloat16 where it is native.

    Raises:
        ParameterError: No such type.
    """
    if dtype == "auto":
        if device.type == "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            native = device.type == "cpu" and has_native_bfloat16()
        return torch.bfloat16 if native else torch.float32
    if dtype not in DTYPES:
        raise UnknownNameError("dtype", dtype, ["auto", *DTYPES])
    return DTYPES[dtype]
