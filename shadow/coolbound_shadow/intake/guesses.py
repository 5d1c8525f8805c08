"""A guess with its evidence, and whether a person must look at it."""

import dataclasses
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Guess(Generic[T]):
    """What was guessed, from what, and how sure. Static.

    Attributes:
        value: The guess.
        evidence: What it rests on, one clause.
        doubt: What a person must settle; empty where nothing is open.
    """

    value: T
    evidence: str
    doubt: str = ""

    @property
    def is_sure(self) -> bool:
        """Whether nothing is open."""
        return not self.doubt
