"""The two forms of the API that users meet. It must never know how a body is changed from one into the other."""

from enum import StrEnum


class Contract(StrEnum):
    """Which form of the API: the reference pages of October 2025, or what it had become by October 2026."""

    V2025_10 = "2025-10"
    V2026_10 = "2026-10"
