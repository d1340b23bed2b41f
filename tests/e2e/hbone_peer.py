"""An HBONE client and server by another implementation (Python's h2 over OpenSSL), which keep what they saw."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings

HBONE_PORT = 15008


class HboneClient:
    """One tunnel to a pod's 15008, opened from inside another pod; a stream at a time."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        self.tls = context.wrap_socket(raw)
        config = h2.config.H2Configuration(client_side=True, validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.events: list[h2.events.Event] = []
        self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.tls.sendall(data)

    def pump(self, done: Callable[[h2.events.Event], bool], timeout: float = 30.0) -> h2.events.Event:
        """Receives until an event is `done`; all events are kept. ConnectionError at the peer's end."""
        self.tls.settimeout(timeout)
        while True:
            data = self.tls.recv(1 << 16)
            if not data:
                raise ConnectionError("the peer closed the tunnel")
            found = None
            for event in self.h2.receive_data(data):
                self.events.append(event)
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if found is None and done(event):
                    found = event
            self.flush()
            if found is not None:
                return found

    def request(self, headers: list[tuple[str, str]], *, end_stream: bool = False) -> int:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers, end_stream=end_stream)
        self.flush()
        return stream

    def connect(self, authority: str, *extra: tuple[str, str]) -> tuple[int, dict[str, str]]:
        """A CONNECT; returns the stream and the answer's headers."""
        stream = self.request([(":method", "CONNECT"), (":authority", authority), *extra])
        return stream, self.answer(stream)

    def answer(self, stream: int) -> dict[str, str]:
        event = self.pump(
            lambda e: isinstance(e, (h2.events.ResponseReceived, h2.events.StreamReset)) and e.stream_id == stream
        )
        if isinstance(event, h2.events.StreamReset):
            return {"reset": str(int(event.error_code))}
        return {_text(name): _text(value) for name, value in event.headers}

    def read_all(self, stream: int) -> bytes:
        """Payload until END_STREAM, also what has come already."""
        if not any(isinstance(e, h2.events.StreamEnded) and e.stream_id == stream for e in self.events):
            self.pump(lambda e: isinstance(e, h2.events.StreamEnded) and e.stream_id == stream)
        return b"".join(
            e.data for e in self.events if isinstance(e, h2.events.DataReceived) and e.stream_id == stream
        )

    def close(self) -> None:
        self.tls.close()


@dataclass
class SeenTunnel:
    """What a server saw of one tunnel."""

    settings: dict[int, int] = field(default_factory=dict)
    connection_window: int = 0
    requests: list[list[tuple[str, str]]] = field(default_factory=list)
    # Payload that came before the answer, by stream.
    early: dict[int, bytes] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    # Of all streams, and what of it the windows were not yet opened again for.
    received: int = 0
    owed: Counter[int] = field(default_factory=Counter)


class HboneServer:
    """Answers CONNECTs with 200 and echoes: a foreign proxy in a pod that is not captured.

    With `answer_after` it says nothing before so many bytes of payload came. With `credit_with_answer` it opens the
    windows again only when it answers the next request.
    """

    def __init__(
        self, listener: socket.socket, context: ssl.SSLContext, *, status: str = "200", answer_after: int = 0,
        credit_with_answer: bool = False,
    ) -> None:  # fmt: skip
        self._listener = listener
        self._context = context
        self._status = status
        self._answer_after = answer_after
        self._credit_with_answer = credit_with_answer
        self.tunnels: list[SeenTunnel] = []
        self.refused: list[str] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        tls = self._context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        try:
            tls.do_handshake()
        except (OSError, ssl.SSLError) as error:
            self.refused.append(str(error))
            # Closing with bytes unread would send a reset, which throws our alert away at the client.
            with tls, suppress(OSError):
                while os.read(tls.fileno(), 1 << 16):
                    pass
            return
        seen = SeenTunnel()
        self.tunnels.append(seen)
        session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, validate_inbound_headers=False))
        session.initiate_connection()
        try:
            tls.sendall(session.data_to_send())
            while data := tls.recv(1 << 16):
                for event in session.receive_data(data):
                    self._on_event(session, seen, event)
                if out := session.data_to_send():
                    tls.sendall(out)
        except (OSError, ssl.SSLError):
            pass
        finally:
            tls.close()

    def _on_event(self, session: h2.connection.H2Connection, seen: SeenTunnel, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RemoteSettingsChanged):
            seen.settings.update({int(code): change.new_value for code, change in event.changed_settings.items()})
        elif isinstance(event, h2.events.WindowUpdated) and event.stream_id == 0:
            seen.connection_window += event.delta
        elif isinstance(event, h2.events.RequestReceived):
            seen.requests.append([(_text(name), _text(value)) for name, value in event.headers])
            seen.early[event.stream_id] = b""
            self._answer(session, seen, event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            seen.received += len(event.data)
            seen.owed[event.stream_id] += event.flow_controlled_length
            if not self._credit_with_answer:
                self._credit(session, seen)
            if event.stream_id not in seen.answered:
                seen.early[event.stream_id] += event.data
                self._answer(session, seen, event.stream_id)
            elif self._status == "200":
                session.send_data(event.stream_id, event.data)
        elif isinstance(event, h2.events.StreamEnded) and self._status == "200":
            session.end_stream(event.stream_id)

    def _answer(self, session: h2.connection.H2Connection, seen: SeenTunnel, stream: int) -> None:
        if len(seen.early[stream]) < self._answer_after:
            return
        seen.answered.add(stream)
        session.send_headers(stream, [(":status", self._status)], end_stream=self._status != "200")
        if seen.early[stream] and self._status == "200":
            session.send_data(stream, seen.early[stream])
        self._credit(session, seen)

    def _credit(self, session: h2.connection.H2Connection, seen: SeenTunnel) -> None:
        for stream, count in seen.owed.items():
            session.acknowledge_received_data(count, stream)
        seen.owed.clear()

    def close(self) -> None:
        # shutdown() ends an accept() that another thread waits in; close() alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
