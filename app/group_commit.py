"""Writers that come at the same time share one transaction of SQLite, and so one wait for the disk.

SQLite has one writer at a time, and each commit waits until the disk has it. With a connection for each, writers poll
for the lock and some wait long. Here they take turns: each does its part in a savepoint of the transaction that is
open, and the last of those who wait commits for all. Each returns only when its part is durable; what one of them
rolls back stays its own. Whoever is alone has a plain transaction.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event, Lock, get_ident
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import RootTransaction
from sqlalchemy.exc import SQLAlchemyError

# So many parts at the most before a commit: the first of them must not wait for an endless queue.
MOST_PARTS = 64


class TransactionLost(SQLAlchemyError):
    """SQLite gave the whole transaction up when one part of it failed: nothing in it was kept."""


class _Group:
    """One transaction, and those who wait for its commit."""

    def __init__(self, connection: Connection, begin: Callable[[Connection], None]) -> None:
        self.connection = connection
        self.transaction: RootTransaction = connection.begin()
        begin(connection)
        self.parts = 0
        self.done = Event()
        self.error: BaseException | None = None

    @property
    def is_open(self) -> bool:
        """Whether there still is a transaction.

        A full disk, a failed read or write and a want of memory end all of it inside of SQLite, whatever the savepoint
        (sqlite.org/lang_transaction.html). Committing then does nothing and says nothing.
        """
        if self.connection.invalidated:
            return False
        driver: Any = self.connection.connection.dbapi_connection
        return bool(driver.in_transaction)


class GroupCommit:
    """Hands one open transaction from writer to writer."""

    def __init__(self, connect: Callable[[], Connection], begin: Callable[[Connection], None]) -> None:
        """`begin` takes the write lock, on a connection that `connect` gave."""
        self._connect = connect
        self._begin = begin
        self._lock = Lock()
        self._waiting: deque[Event] = deque()
        self._is_taken = False
        self._whose: int | None = None  # the thread whose turn it is
        self._group: _Group | None = None

    @contextmanager
    def join(self) -> Iterator[Connection]:
        """One writer's part: alone on the connection while it lasts, durable when it is over.

        Raises what the commit raised, for all whose parts were in it.
        """
        self._take_turn()
        try:
            group = self._group = self._group or self._open()
            with self._part(group):
                yield group.connection
            group.parts += 1
        finally:
            self._end_turn()
        group.done.wait()
        if group.error is not None:
            raise group.error

    def _open(self) -> _Group:
        connection = self._connect()
        try:
            return _Group(connection, self._begin)
        except BaseException:
            connection.close()
            raise

    def _part(self, group: _Group) -> AbstractContextManager[object]:
        """Those before it stay, whatever becomes of this part; the first one has nobody before it."""
        return group.connection.begin_nested() if group.parts else nullcontext()

    def _take_turn(self) -> None:
        """Wait until it is the caller's turn; in the order of coming, and without waking anybody else."""
        if self._whose == get_ident():
            raise RuntimeError("a write transaction was opened inside of another one")
        with self._lock:
            mine = Event()
            if self._is_taken:
                self._waiting.append(mine)
            else:
                self._is_taken = True
                mine.set()
        try:
            mine.wait()
        except BaseException:
            with self._lock:
                is_mine = mine not in self._waiting
                if not is_mine:
                    self._waiting.remove(mine)
            if is_mine:
                self._end_turn()
            raise
        self._whose = get_ident()

    def _end_turn(self) -> None:
        """Leave the transaction to whoever waits; when nobody does, or enough is in it, end it. Then the next one."""
        self._whose = None
        group = self._group
        try:
            if group is not None and not (self._waiting and 0 < group.parts < MOST_PARTS and group.is_open):
                self._group = None
                self._end(group)
        finally:
            if not self._pass_on():
                self._end_turn()  # whoever was to commit went away meanwhile

    def _pass_on(self) -> bool:
        """Give the turn to the next, or to nobody; False where nobody is left to commit what is open."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            elif self._group is None:
                self._is_taken = False
            else:
                return False
        return True

    def _end(self, group: _Group) -> None:
        """Commit what succeeded, for all who wait for it; where nothing did, roll back."""
        try:
            if group.parts and not group.is_open:
                raise TransactionLost("the database ended the transaction")
            if group.parts:
                group.transaction.commit()
            else:
                group.transaction.rollback()
        except BaseException as error:
            group.connection.invalidate()  # what it left undone must not come back with the next one
            if not group.parts:
                raise
            group.error = error  # raised by all whose parts were in it
        finally:
            group.done.set()
            group.connection.close()
