"""The optional password in front of the page."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable

WRONG_SECONDS = 1.0  # that a wrong password costs whoever tries many


def password_check(name: str, password: str) -> Callable[[str, str], Awaitable[bool]]:
    """Whether what somebody entered is right; a wrong answer comes late.

    Args:
        name: to be entered, without spaces around it.
        password: to be entered.
    """

    async def check(given_name: str, given_password: str) -> bool:
        right = _same(given_name.strip(), name) & _same(given_password, password)
        if not right:
            await asyncio.sleep(WRONG_SECONDS)
        return right

    return check


def _same(given: str, expected: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(), expected.encode())
