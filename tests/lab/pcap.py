"""Reads packet captures: enough of Ethernet, IP, TCP and UDP to say what crossed the wire."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.shell import LabError

_MAGIC_MICROSECONDS = 0xA1B2C3D4
_LINKTYPE_ETHERNET = 1
_ETHERTYPE_IPV4, _ETHERTYPE_VLAN, _ETHERTYPE_IPV6 = 0x0800, 0x8100, 0x86DD
PROTOCOL_TCP, PROTOCOL_UDP = 6, 17
# IPv6 headers that may stand before TCP or UDP and carry their own length in units of 8 bytes.
_IPV6_EXTENSIONS = (0, 43, 60)
_FLAG_SYN, _FLAG_ACK = 0x02, 0x10


@dataclass(frozen=True)
class Packet:
    """A TCP or UDP packet."""

    protocol: int
    src: str
    src_port: int
    dst: str
    dst_port: int
    flags: int
    payload: bytes

    @property
    def opens_connection(self) -> bool:
        """A TCP SYN without ACK."""
        return self.protocol == PROTOCOL_TCP and self.flags & (_FLAG_SYN | _FLAG_ACK) == _FLAG_SYN

    @property
    def flow(self) -> tuple[int, str, int, str, int]:
        return (self.protocol, self.src, self.src_port, self.dst, self.dst_port)


def read_pcap(path: Path) -> Iterator[Packet]:
    """TCP and UDP packets in the order captured; what is neither (ARP, ICMP) is passed over."""
    with open(path, "rb") as file:
        header = file.read(24)
        if len(header) < 24:
            raise LabError(f"{path}: not a packet capture")
        order = "<" if struct.unpack("<I", header[:4])[0] == _MAGIC_MICROSECONDS else ">"
        magic, _, _, _, _, _, link_type = struct.unpack(f"{order}IHHiIII", header)
        if magic != _MAGIC_MICROSECONDS or link_type != _LINKTYPE_ETHERNET:
            raise LabError(f"{path}: magic {magic:#x}, link type {link_type}: not a capture this reader knows")
        # The writer may still be at work: a half-written last packet ends the reading.
        while len(head := file.read(16)) == 16:
            _, _, captured, original = struct.unpack(f"{order}IIII", head)
            frame = file.read(captured)
            if len(frame) < captured:
                return
            if captured < original:
                raise LabError(f"{path}: a packet of {original} bytes was cut to {captured}")
            packet = _parse_ethernet(frame)
            if packet is not None:
                yield packet


def contains_bytes(packets: Iterable[Packet], needle: bytes) -> Packet | None:
    """The packet that completes `needle` in its flow's bytes, or None; also when two packets share it."""
    tails: dict[tuple[int, str, int, str, int], bytes] = {}
    keep = len(needle) - 1
    for packet in packets:
        seen = tails.get(packet.flow, b"") + packet.payload
        if needle in seen:
            return packet
        tails[packet.flow] = seen[-keep:] if keep else b""
    return None


def _parse_ethernet(frame: bytes) -> Packet | None:
    if len(frame) < 14:
        return None
    kind = int.from_bytes(frame[12:14])
    start = 14
    if kind == _ETHERTYPE_VLAN:
        kind, start = int.from_bytes(frame[16:18]), 18
    if kind == _ETHERTYPE_IPV4:
        return _parse_ipv4(frame[start:])
    if kind == _ETHERTYPE_IPV6:
        return _parse_ipv6(frame[start:])
    return None


def _parse_ipv4(data: bytes) -> Packet | None:
    header = (data[0] & 0x0F) * 4
    # Ethernet pads short frames: what counts is the length IP gives. 0 is a segment beyond 64 KiB.
    total = int.from_bytes(data[2:4]) or len(data)
    if int.from_bytes(data[6:8]) & 0x1FFF:
        return None  # a later fragment has no ports
    src, dst = socket.inet_ntop(socket.AF_INET, data[12:16]), socket.inet_ntop(socket.AF_INET, data[16:20])
    return _parse_transport(data[9], src, dst, data[header:total])


def _parse_ipv6(data: bytes) -> Packet | None:
    total = 40 + int.from_bytes(data[4:6]) if data[4:6] != b"\0\0" else len(data)
    src, dst = socket.inet_ntop(socket.AF_INET6, data[8:24]), socket.inet_ntop(socket.AF_INET6, data[24:40])
    protocol, start = data[6], 40
    while protocol in _IPV6_EXTENSIONS and start + 2 <= len(data):
        protocol, start = data[start], start + 8 + data[start + 1] * 8
    return _parse_transport(protocol, src, dst, data[start:total])


def _parse_transport(protocol: int, src: str, dst: str, data: bytes) -> Packet | None:
    if protocol == PROTOCOL_TCP and len(data) >= 20:
        ports = struct.unpack("!HH", data[:4])
        offset = (data[12] >> 4) * 4
        return Packet(protocol, src, ports[0], dst, ports[1], data[13], data[offset:])
    if protocol == PROTOCOL_UDP and len(data) >= 8:
        ports = struct.unpack("!HH", data[:4])
        return Packet(protocol, src, ports[0], dst, ports[1], 0, data[8:])
    return None
