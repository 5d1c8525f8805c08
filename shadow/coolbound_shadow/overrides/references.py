"""Every number names its records; the last page says what they are."""

import dataclasses
from typing import final

from markupsafe import Markup

from coolbound_shadow.ledger.reader import LedgerReader


@final
@dataclasses.dataclass
class References:
    """Collects the records that a page names.

    Attributes:
        places: Places of the records.
    """

    places: set[int] = dataclasses.field(default_factory=set)

    def link(self, *places: int) -> Markup:
        """Return links to records, first and last of a run of them."""
        known = [place for place in places if place > 0]
        self.places.update(known)
        links = [f'<a href="#r{place}">#{place:,}</a>' for place in known]
        return Markup(" to ".join(links) if len(links) == 2 else ", ".join(links))

    def rows(self, reader: LedgerReader) -> list[dict[str, str]]:
        """Return the records that were named, in order."""
        return [_row(reader, place) for place in sorted(self.places)]


def _row(reader: LedgerReader, place: int) -> dict[str, str]:
    entry = reader.entry(place)
    data = entry.data
    return {
        "id": f"r{place}",
        "seq": f"{place:,}",
        "kind": data["kind"],
        "time": data.get("time", ""),
        "recorded": data["recorded"][:19] + "Z",
        "hash": entry.hash.hex()[:16],
    }
