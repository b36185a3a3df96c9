"""How the app behaves as a service: one record, its values from STAM_... variables."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from stam_core.errors import ParameterError
from stam_core.limits import variable

LOG_FORMS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")


def _about(lowest: float, highest: float, unit: str, words: str) -> dict[str, Any]:
    return {"lowest": lowest, "highest": highest, "unit": unit, "help": words}


def _words(words: str) -> dict[str, Any]:
    return {"words": True, "help": words}


def _one_of(names: tuple[str, ...], words: str) -> dict[str, Any]:
    return {"names": names, "help": words}


@dataclass(frozen=True)
class ServiceSettings:
    """What whoever runs the app can set."""

    job_seconds: float = field(
        default=600.0,
        metadata=_about(1, 86_400, "seconds", "after which a job is ended at its next step"),
    )
    stop_seconds: float = field(
        default=8.0,
        metadata=_about(0, 600, "seconds", "that running jobs get to finish when the app stops"),
    )
    kept_mib: int = field(
        default=4096,
        metadata=_about(1, 10**8, "MiB", "uploads and made files kept on disk, the newest"),
    )
    own_mib: int = field(
        default=512,
        metadata=_about(1, 10**8, "MiB", "of one visitor's uploads, the newest"),
    )
    cache_mib: int = field(
        default=1024,
        metadata=_about(4, 10**7, "MiB", "decoded clips and recordings kept in memory"),
    )
    log: str = field(default="text", metadata=_one_of(LOG_FORMS, "form of the log"))
    log_level: str = field(
        default="info", metadata=_one_of(LOG_LEVELS, "of this program's own log lines")
    )
    ray: str = field(
        default="",
        metadata=_words("Ray cluster that runs the models: local, auto or host:port"),
    )
    replicas: str = field(
        default="", metadata=_words("of the model on that cluster: a number, or a range like 1-4")
    )
    # The repr of a record ends in logs and in error messages.
    auth: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ServiceSettings:
        """The settings as the environment has them; what it does not mention has its default.

        Args:
            environment: names and values; None: this process's own.

        Raises:
            ParameterError: a value cannot be used; of STAM_AUTH it does not say what it was.
        """
        found = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for setting in fields(cls):
            text = found.get(variable(setting.name), "").strip()
            if not text:
                continue
            if setting.name == "auth":
                values["auth"] = _name_and_password(text)
            elif "words" in setting.metadata:
                values[setting.name] = text
            elif "names" in setting.metadata:
                values[setting.name] = _chosen(text, setting.metadata, variable(setting.name))
            else:
                values[setting.name] = _number(text, setting, variable(setting.name))
        return cls(**values)


@cache
def service_settings() -> ServiceSettings:
    """The settings that the environment had when they were first asked for.

    Raises:
        ParameterError: a STAM_... variable cannot be used.
    """
    return ServiceSettings.from_environment()


def describe_settings() -> str:
    """One line for each setting, for `--help`: variable, default, meaning."""
    rows = []
    for setting in fields(ServiceSettings):
        about = setting.metadata
        if setting.name == "auth":
            rows.append((variable("auth"), "none", "name:password that visitors must enter"))
        elif "words" in about:
            rows.append((variable(setting.name), "none", about["help"]))
        elif "names" in about:
            told = f"{about['help']}: {' or '.join(about['names'])}"
            rows.append((variable(setting.name), str(setting.default), told))
        else:
            told = f"{about['unit']}: {about['help']}"
            rows.append((variable(setting.name), f"{setting.default:.9g}", told))
    wide, deep = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"  {name:<{wide}}  {value:>{deep}} {told}" for name, value, told in rows)


def _name_and_password(text: str) -> tuple[str, str]:
    """`name:password`; the password may hold colons."""
    name, colon, password = text.partition(":")
    strange = any(unicodedata.category(character) == "Cc" for character in text)
    if not (name.strip() and colon and password) or strange:
        raise ParameterError(
            f"{variable('auth')} must be name:password, for instance class:a-long-password, both "
            "of them at least one character. (What it is set to is not shown here.)"
        )
    return name.strip(), password


def _chosen(text: str, about: Mapping[str, Any], name: str) -> str:
    if text.lower() not in about["names"]:
        raise ParameterError(f"{name} must be one of {', '.join(about['names'])}; got {text!r}.")
    return text.lower()


def _number(text: str, setting: Any, name: str) -> float:  # noqa: ANN401 - a dataclasses.Field
    about, whole = setting.metadata, isinstance(setting.default, int)
    try:
        value: float = int(text) if whole else float(text)
    except ValueError:
        value = math.nan
    if not about["lowest"] <= value <= about["highest"]:
        raise ParameterError(
            f"{name} must be a {'whole ' if whole else ''}number between {about['lowest']:g} and "
            f"{about['highest']:g} ({about['unit']}); got {text[:40]!r}."
        )
    return value
