"""Appending: what is acknowledged is on the disk, chained, and there to stay."""

import contextlib
import dataclasses
import itertools
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, final

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger import heads
from coolbound_shadow.ledger.body import instant, instant_text
from coolbound_shadow.ledger.chain import Entry, follow
from coolbound_shadow.ledger.clock import Reading, clock_note, read
from coolbound_shadow.ledger.database import (
    HEADS_FILE,
    KEYS_FOLDER,
    LOCK_FILE,
    hash_at,
    insert,
    open_writing,
    read_tail,
    transaction,
)
from coolbound_shadow.ledger.keys import Signer
from coolbound_shadow.ledger.lock import hold
from coolbound_shadow.ledger.records import Record
from coolbound_shadow.ledger.resume import check_end, opening_records, read_identity
from coolbound_shadow.ledger.writing import (
    Receipt,
    Settings,
    bodies,
    keep,
    publish,
    refused,
    require_key_elsewhere,
)


@final
class LedgerWriter:
    """Appends to the ledger of a folder; there may be several, in any process.

    Threads may share one. Entering `exclusive` keeps all others out, so that
    several steps stand together.
    """

    def __init__(
        self, folder: Path, signer: Signer | None, settings: Settings | None = None
    ) -> None:
        """Open a ledger, or begin one, and check the end that it will go on from.

        Args:
            folder: The ledger's folder; it is made if need be.
            signer: Signs heads; None leaves that to another writer.
            settings: How to write.

        Raises:
            InputError: The folder is no ledger, its end was tampered with, the
                key stands in it, or another process will not let go.
        """
        self.folder = folder.absolute()
        self.signer = signer
        self.settings = settings or Settings()
        self._threads = threading.RLock()
        self._depth = 0
        self._is_open = True
        self._before: Reading | None = None
        self._last: Entry | None = None
        require_key_elsewhere(self.folder, signer)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder}: found {error.strerror}, expected a folder that may be "
                "made; choose another folder for the ledger"
            ) from error
        with self.exclusive():
            self.connection = open_writing(self.folder)
            try:
                self._resume()
            except BaseException:
                self._close(is_signing=False)
                raise

    def _resume(self) -> None:
        head = heads.last_head(self.folder / HEADS_FILE)
        check_end(self.connection, self.folder, head)
        records = opening_records(self.connection, self.signer)
        if records:
            self._commit(records)
        self.ledger = read_identity(self.connection, self.folder)
        if self.signer:
            publish(self.signer, self.folder / KEYS_FOLDER)
        self.sign()

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Sign, unless something went wrong, and close."""
        self._close(is_signing=error is None)

    def close(self) -> None:
        """Sign what is unsigned and close; closing again does nothing."""
        self._close(is_signing=True)

    def _close(self, is_signing: bool) -> None:
        # SQLite checkpoints when it closes, hence under the lock.
        with self.exclusive():
            if not self._is_open:
                return
            self._is_open = False
            try:
                if is_signing:
                    self.sign()
            finally:
                self.connection.close()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep all other writers out, threads and processes."""
        with self._threads, contextlib.ExitStack() as stack:
            if self._depth == 0:
                lock = self.folder / LOCK_FILE
                stack.enter_context(hold(lock, self.settings.timeout_s))
            self._depth += 1
            stack.callback(self._leave)
            yield

    def _leave(self) -> None:
        self._depth -= 1

    def append(self, record: Record) -> Receipt:
        """Append one record; when this returns, it is on the disk.

        Raises:
            DuplicateTick: The run has a tick of that time.
            InputError: The record cannot be written down, or the disk is full.
        """
        return self._append([record])

    def append_many(self, records: Iterable[Record]) -> Receipt | None:
        """Append records in batches, each whole or not at all; None for no records.

        What was committed before an error stays: go on after `last_tick`.

        Raises:
            DuplicateTick: A tick of a batch is there already.
            InputError: A record cannot be written down, or the disk is full.
        """
        first, receipt = 0, None
        source = iter(records)
        while batch := list(itertools.islice(source, self.settings.batch)):
            receipt = self._append(batch)
            first = first or receipt.first_seq
        return receipt and dataclasses.replace(receipt, first_seq=first)

    def _append(self, records: Sequence[Record]) -> Receipt:
        with self.exclusive():
            entries = self._commit(records)
            self._sign_if_due(entries[-1])
        # A clock note may stand before the records: the receipt names theirs.
        first = entries[-1].seq - len(records) + 1
        return Receipt(first, entries[-1].seq, entries[-1].hash.hex())

    def _commit(self, records: Sequence[Record]) -> list[Entry]:
        try:
            with transaction(self.connection):
                self._require_own_past()
                tail = read_tail(self.connection)
                found = read(self.settings.clock)
                note = clock_note(found, self._before, tail.recorded)
                stamped = [*([note] if note else []), *records]
                entries = follow(tail, bodies(stamped, found))
                insert(self.connection, entries)
        except sqlite3.IntegrityError as error:
            raise refused(records, error) from error
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{self.folder}: found {error} while appending, expected room and a "
                "free ledger; nothing of this batch is recorded, so clear that and "
                "append it again"
            ) from error
        self._before, self._last = found, entries[-1]
        return entries

    def _require_own_past(self) -> None:
        """Refuse to go on, and to sign, where what was written is there no more."""
        last = self._last
        if last and hash_at(self.connection, last.seq) != last.hash:
            raise InputError(
                f"{self.folder}: found another record {last.seq:,} than this writer "
                "put there, expected an append-only ledger; run `coolbound ledger "
                "verify`, keep this folder, begin a new one"
            )

    def _sign_if_due(self, entry: Entry) -> None:
        if self.signer is None:
            return
        head = heads.last_head(self.folder / HEADS_FILE)
        count = head.count if head else 0
        since = instant(head.time) if head else None
        age = (
            (instant(entry.data["recorded"]) - since).total_seconds() if since else 0.0
        )
        is_due = entry.seq - count >= self.settings.sign_every
        if is_due or age >= self.settings.sign_after_s:
            self.sign()

    def sign(self) -> heads.Head | None:
        """Sign the present end, if a key is at hand and there is anything new.

        Returns:
            The last head, old or new; None where none was ever signed.
        """
        path = self.folder / HEADS_FILE
        with self.exclusive():
            head = heads.last_head(path)
            tail = read_tail(self.connection)
            if self.signer is None or (head and head.count == tail.seq):
                return head
            time = instant_text(self.settings.clock.now())
            previous = head.digest() if head else heads.NONE_BEFORE
            self._require_own_past()
            new = heads.sign_head(
                self.signer, self.ledger, tail.seq, tail.hash, time, previous
            )
            keep(path, new)
            return new
