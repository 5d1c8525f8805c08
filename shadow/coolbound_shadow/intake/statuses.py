"""Status texts that exports carry, and what they say of a reading.

From the status flags of Niagara, PI, BACnet and OPC, whose classic quality codes are
numbers (192 is good, 216 a local override). An alarm says something of
the plant and nothing against the reading; an override says who is in charge.
"""

STATUS_WORDS = ("status", "quality", "flag", "flags", "state", "qualitat", "qualite")
"""Last words of the names of status columns."""

MEANINGS: dict[str, tuple[str, str, bool]] = {
    "ok": ("GOOD", "", False),
    "good": ("GOOD", "", False),
    "gut": ("GOOD", "", False),
    "normal": ("GOOD", "", False),
    "valid": ("GOOD", "", False),
    "raw": ("GOOD", "", False),
    "annotated": ("GOOD", "", False),
    "alarm": ("GOOD", "", False),
    "unackedalarm": ("GOOD", "", False),
    "overridden": ("GOOD", "", True),
    "override": ("GOOD", "", True),
    "manual": ("GOOD", "", True),
    "hand": ("GOOD", "", True),
    "questionable": ("UNCERTAIN", "questionable", False),
    "uncertain": ("UNCERTAIN", "uncertain", False),
    "substituted": ("UNCERTAIN", "substituted", False),
    "interpolated": ("UNCERTAIN", "interpolated", False),
    "estimated": ("UNCERTAIN", "estimated", False),
    "modified": ("UNCERTAIN", "modified", False),
    "fault": ("BAD", "fault", False),
    "down": ("BAD", "down", False),
    "stale": ("BAD", "stale", False),
    "disabled": ("BAD", "disabled", False),
    "null": ("BAD", "status_null", False),
    "bad": ("BAD", "bad", False),
    "invalid": ("BAD", "bad", False),
    "error": ("BAD", "error", False),
    "offline": ("BAD", "offline", False),
    "192": ("GOOD", "", False),
    "216": ("GOOD", "", True),
    "64": ("UNCERTAIN", "uncertain", False),
    "0": ("BAD", "bad", False),
    "4": ("BAD", "error", False),
    "8": ("BAD", "offline", False),
    "24": ("BAD", "down", False),
    "28": ("BAD", "out_of_service", False),
    "out of service": ("BAD", "out_of_service", False),
    "outofservice": ("BAD", "out_of_service", False),
}
"""By text in small letters: quality, reason, and whether it is an override."""


def flags_of(text: str) -> list[str]:
    """Return the flags of a status text such as "{fault,stale}"."""
    parts = text.strip("{}[]() ").replace("|", ",").replace(";", ",").split(",")
    return [part.strip() for part in parts if part.strip()]


def is_status_text(text: str) -> bool:
    """Return whether a cell holds nothing but status flags."""
    if text in ("{}", "{ok}"):
        return True
    flags = flags_of(text)
    return bool(flags) and all(flag.lower() in MEANINGS for flag in flags)
