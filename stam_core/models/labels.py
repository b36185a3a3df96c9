"""Names of the classes of public data sets."""

from __future__ import annotations

from functools import cache


@cache
def kinetics_400() -> tuple[str, ...]:
    """The 400 action names of Kinetics-400, in the order of the published weights' classes.

    Source: the metadata of torchvision's published video weights; nothing is downloaded.
    """
    # Imported here: torchvision's model zoo takes a while to import and not every model needs it.
    from torchvision.models.video import Swin3D_T_Weights

    names: list[str] = Swin3D_T_Weights.KINETICS400_V1.meta["categories"]
    return tuple(names)
