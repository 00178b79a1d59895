"""Between one process and Postgres: sees the moments of a transaction from outside, and can act in exactly one of them.

Each worker has a proxy of its own, so a moment is known to be that worker's. It reads Postgres' protocol as far as the
statements' texts: https://www.postgresql.org/docs/18/protocol-message-formats.html
"""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from threading import Event, Lock, Thread


class Moment(StrEnum):
    """What a message is about to do, or an answer to give; in the order of a job's life."""

    UPLOADING = "a piece of the examples, before Postgres has it"
    SUBMITTING = "COMMIT of a submit, before Postgres has it"
    SUBMITTED = "the answer to it, before the command has it"
    CLAIMED = "the answer to COMMIT of a claim, before the worker has it"
    FINISHING = "the UPDATE that ends a shard, before Postgres has it"
    COPYING = "a piece of the predictions, before Postgres has it"
    COMMITTING = "COMMIT of a shard's end, before Postgres has it"
    COMMITTED = "the answer to it, before the worker has it"
    EXPORTING = "a piece of an export, before the command has it"
    LABELING = "labels of rows, before Postgres has them"
    LABELED = "COMMIT of labels, before Postgres has it"


class Cut(Exception):
    """Raised by an action: break this connection, the message is lost."""


Action = Callable[["Connection"], object]


class Trap:
    """Acts once, at the n-th time that a moment comes; `sprung` says that the action is over."""

    def __init__(self, moment: Moment, action: Action, nth: int, client: str | None) -> None:
        self.moment, self.client, self.left, self._action = moment, client, nth, action
        self.met, self.sprung = Event(), Event()

    def act(self, connection: "Connection") -> None:
        self.met.set()
        try:
            self._action(connection)
        finally:
            self.sprung.set()


class Traps:
    """Those that are set."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._traps: list[Trap] = []

    def set(self, moment: Moment, action: Action, nth: int = 1, client: str | None = None) -> Trap:
        trap = Trap(moment, action, nth, client)
        with self._lock:
            self._traps.append(trap)
        return trap

    def clear(self) -> None:
        with self._lock:
            self._traps.clear()

    def meet(self, moment: Moment, connection: "Connection") -> None:
        due = []
        with self._lock:
            for trap in self._traps:
                if trap.moment is moment and trap.client in (None, connection.client):
                    trap.left -= 1
                    due += [trap] if trap.left == 0 else []
            self._traps = [trap for trap in self._traps if trap not in due]
        for trap in due:
            trap.act(connection)


class Proxy:
    """Listens on a free port for the connections of one client."""

    def __init__(self, client: str, server: Path, traps: Traps) -> None:
        self.client, self.server, self.traps = client, server, traps
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                Connection(self, self._listening.accept()[0])


class Connection:
    """One session, and what its transaction has done so far."""

    def __init__(self, proxy: Proxy, downstream: socket.socket) -> None:
        self.client, self._traps = proxy.client, proxy.traps
        self._down = downstream
        self._up = socket.socket(socket.AF_UNIX)
        self._statements: dict[bytes, bytes] = {}
        self._done: set[Moment] = set()
        self._answer: Moment | None = None
        try:
            self._up.connect(str(proxy.server))
        except OSError:
            self.cut()
            return
        for pump in (self._requests, self._answers):
            Thread(target=self._run, args=(pump,), daemon=True).start()

    def cut(self) -> None:
        """Break both sides."""
        for side in (self._down, self._up):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def send(self, message: bytes) -> None:
        """To Postgres."""
        self._up.sendall(message)

    def _run(self, pump: Callable[[], None]) -> None:
        with suppress(OSError, ValueError, Cut, struct.error):
            pump()
        self.cut()

    def _requests(self) -> None:
        with self._down.makefile("rb") as stream:
            (length,) = struct.unpack("!i", head := stream.read(4))
            self.send(head + stream.read(length - 4))
            while head := stream.read(5):
                kind, length = struct.unpack("!ci", head)
                body = stream.read(length - 4)
                for moment in self._moments(kind, body):
                    self._traps.meet(moment, self)
                self.send(head + body)

    def _answers(self) -> None:
        while answer := self._up.recv(1 << 16):
            if self._answer:
                moment, self._answer = self._answer, self._answer if self._answer is Moment.EXPORTING else None
                self._traps.meet(moment, self)
            self._down.sendall(answer)

    def _moments(self, kind: bytes, body: bytes) -> Iterator[Moment]:
        if kind == b"d":
            yield Moment.UPLOADING if Moment.UPLOADING in self._done else Moment.COPYING
        elif kind in b"QPB":
            yield from self._of_statement(self._text(kind, body))

    def _text(self, kind: bytes, body: bytes) -> bytes:
        """The statement that a message begins: simple, parsed, or parsed before under a name."""
        if kind == b"Q":
            return body
        name, _, rest = body.partition(b"\0")
        if kind == b"P":
            self._statements[name] = rest
            return b""  # its Bind follows
        return self._statements.get(rest.partition(b"\0")[0], b"")

    def _of_statement(self, text: bytes) -> Iterator[Moment]:
        text = text.strip()
        if text.startswith(b"BEGIN"):
            self._done.clear()
            self._answer = None
        elif text.startswith(b"COPY examples"):
            self._done.add(Moment.UPLOADING)
        elif b"UPDATE shards" in text and b"make_interval" in text:
            self._done.add(Moment.CLAIMED)
        elif text.startswith(b"UPDATE shards") and b"truncated_rows=" in text:
            self._done.add(Moment.FINISHING)
            yield Moment.FINISHING
        elif text.startswith(b"INSERT INTO row_labels"):
            self._done.add(Moment.LABELED)
            yield Moment.LABELING
        elif text.startswith(b"COPY (") and b"TO STDOUT" in text:
            self._answer = Moment.EXPORTING
        elif text.startswith(b"COMMIT"):
            yield from self._of_commit()

    def _of_commit(self) -> Iterator[Moment]:
        if Moment.FINISHING in self._done:
            yield Moment.COMMITTING
            self._answer = Moment.COMMITTED
        elif Moment.UPLOADING in self._done:
            yield Moment.SUBMITTING
            self._answer = Moment.SUBMITTED
        elif Moment.LABELED in self._done:
            yield Moment.LABELED
        elif Moment.CLAIMED in self._done:
            self._answer = Moment.CLAIMED
