"""Bodies of records as text: one text for one content.

Keys in order, no blanks, UTF-8, no NaN: what is hashed is what is stored, and a
reader in any language gets it back.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from coolbound_envs.tables import InputError

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def canonical(content: Mapping[str, Any]) -> str:
    """Return the one text of a record.

    Raises:
        InputError: It holds what JSON in UTF-8 cannot say: NaN, infinity, bytes.
    """
    try:
        text = _encode(content)
        text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise InputError(
            f"a ledger record of kind {content.get('kind')!r}: found {error}, expected "
            "finite numbers, text, lists and tables; give None for what is unknown"
        ) from error
    return text


def instant_text(instant: datetime) -> str:
    """Return an instant in UTC, always 27 characters: text order is time order."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant(text: str) -> datetime:
    """Return the instant that `instant_text` wrote."""
    return datetime.fromisoformat(text)


def second_text(time_utc: int) -> str:
    """Return a whole second in UTC, always 20 characters.

    Args:
        time_utc: UTC epoch. [s]
    """
    return datetime.fromtimestamp(time_utc, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_second_text(time_utc: int, offset: int) -> str:
    """Return a whole second on the site's clock, with its offset.

    Args:
        time_utc: UTC epoch. [s]
        offset: Local time minus UTC. [s]
    """
    zone = timezone(timedelta(seconds=offset))
    return datetime.fromtimestamp(time_utc, zone).isoformat()
