"""A packet capture on the wire between the nodes that is whole: it proves its first packet, its last, and no loss."""

from __future__ import annotations

import re
import secrets
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tests.lab.netns import Namespace
from tests.lab.pcap import PROTOCOL_UDP, Packet, contains_bytes, read_pcap
from tests.lab.process import Process
from tests.lab.shell import LabError, wait_until

# tcpdump's kernel buffer in KiB. 64 MiB holds a second of several Gbit/s.
BUFFER_KIB = 65536
# Markers go to the discard port of another node, where nobody listens.
MARKER_PORT = 9
START_TIMEOUT_S = 30.0
FLUSH_TIMEOUT_S = 30.0

_DROPPED = re.compile(r"(\d+) packets? dropped by (kernel|interface)")


class Capture:
    """Use as a context; afterwards `packets()`, `dropped` and the checks below speak of the whole time inside.

    A marker packet sent over the wire must be in the file before the context is entered, and another before it is
    left: so nothing in between can be missing for having come too early or too late.
    """

    def __init__(self, wire: Namespace, interface: str, sender: Namespace, target: str, path: Path) -> None:
        self._wire = wire
        self._interface = interface
        self._sender = sender
        self._target = target
        self.path = path
        self.dropped: int | None = None
        self._process: Process | None = None
        self._looked_at = 0
        self._marker = b"aquifer-lab-marker-" + secrets.token_hex(8).encode()

    def __enter__(self) -> Capture:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        elif self._process is not None:
            self._process.kill()

    def start(self) -> None:
        # -U writes each packet at once; -Z root because the work directory is ours alone; snapshot length: all.
        self._process = Process(
            f"tcpdump-{self.path.stem}",
            [*self._wire.enter_command(), "tcpdump", "-i", self._interface, "-w", str(self.path), "-U",
             "-B", str(BUFFER_KIB), "-s", "0", "-n", "-Z", "root"],
            log_dir=self.path.parent,
        )  # fmt: skip
        wait_until("tcpdump to start", self._is_listening, START_TIMEOUT_S)
        self._pass_marker(b"-first")

    def stop(self) -> None:
        """Ends the capture once everything sent before this call is in the file."""
        process = self._require_process()
        self._pass_marker(b"-last")
        process.signal(signal.SIGINT)
        process.wait(FLUSH_TIMEOUT_S)
        counts = [int(number) for number, _ in _DROPPED.findall(process.stderr())]
        if not counts:
            raise LabError(f"tcpdump did not say how many packets it dropped: {process.stderr()}")
        self.dropped = sum(counts)

    def packets(self) -> Iterator[Packet]:
        """TCP and UDP packets without our own markers. Refused when the kernel dropped any."""
        if self.dropped is None:
            raise LabError("the capture is still running")
        if self.dropped:
            raise LabError(f"the capture lost {self.dropped} packets: it proves nothing")
        return (packet for packet in read_pcap(self.path) if not self._is_marker(packet))

    def syn_ports(self) -> Counter[int]:
        """How many connections were opened over the wire, by destination port."""
        return Counter(packet.dst_port for packet in self.packets() if packet.opens_connection)

    def shows(self, text: bytes) -> bool:
        """True exactly when the bytes crossed the wire in the clear, in one packet or across several of a flow."""
        return contains_bytes(self.packets(), text) is not None

    def _require_process(self) -> Process:
        if self._process is None:
            raise LabError("the capture was not started")
        return self._process

    def _is_listening(self) -> bool:
        process = self._require_process()
        process.require_alive()
        return "listening on" in process.stderr()

    def _pass_marker(self, suffix: bytes) -> None:
        marker = self._marker + suffix
        with self._sender.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(marker, (self._target, MARKER_PORT))
        wait_until(
            "a marker packet to reach the capture file",
            lambda: self._file_has(marker),
            FLUSH_TIMEOUT_S,
        )

    def _file_has(self, marker: bytes) -> bool:
        """Reads on from where the last look ended, less a marker's length that may have been half there."""
        if not self.path.exists():
            return False
        with open(self.path, "rb") as file:
            file.seek(max(0, self._looked_at - len(marker)))
            found = marker in file.read()
            self._looked_at = file.tell()
        return found

    def _is_marker(self, packet: Packet) -> bool:
        return packet.protocol == PROTOCOL_UDP and packet.payload.startswith(self._marker)
