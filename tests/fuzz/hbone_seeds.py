#!/usr/bin/env python3
"""Writes the seeds of the tunnel's fuzz targets: corpus/hbone_session and corpus/hbone_headers beside this file.

The formats are those of hbone_session_fuzz.cc and hbone_headers_fuzz.cc; run it again when they change.
"""
import pathlib
import shutil
import struct

HERE = pathlib.Path(__file__).parent / "corpus"
FRAME, ACT, RAW = b"\x00", b"\x60", 191
DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIO = 1, 1, 4, 8, 0x20
SERVER, CLIENT = b"\x02", b"\x03"  # behind the handshake


def frame(kind, flags, stream, payload=b""):
    """As the fuzz target reads it: one byte for each of type, flags, stream, length."""
    return FRAME + bytes([kind, flags, stream, len(payload)]) + payload


def wire(kind, flags, stream, payload=b""):
    """As it is on the wire."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def raw(data):
    """Raw bytes in pieces of at most 64."""
    return b"".join(bytes([RAW + len(data[i:i + 64])]) + data[i:i + 64] for i in range(0, len(data), 64))


def act(what, stream=0, size=0):
    return ACT + bytes([what + 16 * stream, size])


def block(*fields):
    """Literal fields without indexing (RFC 7541 section 6.2.2)."""
    out = b""
    for name, value in fields:
        out += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return out


CONNECT = block((":method", "CONNECT"), (":authority", "10.0.0.1:80"), ("baggage", "service.name=a"))
GET = block((":method", "GET"), (":scheme", "https"), (":path", "/"), ("content-length", "3"))
OK = block((":status", "200"), ("baggage", "service.name=b"))
INDEXED = b"\x42\x07CONNECT" + b"\x41\x0b10.0.0.1:80"
REQUEST = frame(HEADERS, END_HEADERS, 1, CONNECT)

SESSION = {
    "server_request": SERVER + REQUEST + act(5) + frame(DATA, 0, 1, b"hello") + act(7) + act(14, 0, 9) +
                      frame(DATA, END_STREAM, 1) + act(11) + act(10),
    "server_refuse": SERVER + REQUEST + act(6) + act(10) + frame(DATA, 0, 1, b"late"),
    "server_get": SERVER + frame(HEADERS, END_HEADERS, 1, GET) + frame(DATA, END_STREAM, 1, b"abc"),
    "server_continuation": SERVER + frame(HEADERS, END_STREAM, 1, CONNECT[:9]) +
                           frame(CONTINUATION, END_HEADERS, 1, CONNECT[9:]),
    "server_padding": SERVER + frame(HEADERS, END_HEADERS | PADDED | PRIO, 1, b"\x02\0\0\0\0\x10" + CONNECT + b"\0\0") +
                      frame(DATA, PADDED, 1, b"\x03abc\0\0\0"),
    "server_reset": SERVER + REQUEST + frame(RST, 0, 1, b"\0\0\0\x08") + act(10) +
                    frame(HEADERS, END_HEADERS, 7, CONNECT) + frame(RST, 0, 7, b"\0\0\0\x08"),
    "server_control": SERVER + frame(SETTINGS, ACK, 0) + frame(SETTINGS, 0, 0, b"\0\4\0\0\0\x0a\0\1\0\0\0\0") +
                      frame(PING, 0, 0, b"12345678") + frame(WINDOW, 0, 0, b"\0\0\1\0") + frame(PRIORITY, 0, 5, b"12345") +
                      frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0debug") + act(2) + act(3),
    "server_indexing": SERVER + frame(HEADERS, END_HEADERS, 1, INDEXED) + frame(HEADERS, END_HEADERS, 3, b"\xbf\xbe") +
                       frame(SETTINGS, ACK, 0) + frame(HEADERS, END_HEADERS, 5, b"\x20" + CONNECT),
    "server_hand_over": SERVER + REQUEST + act(4) + raw(wire(DATA, 0, 1, b"in the middle")[:15]) + act(4) +
                        raw(b"e middle"),
    "server_raw": b"\x00" + raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + wire(SETTINGS, 0, 0) + wire(SETTINGS, ACK, 0) +
                                wire(HEADERS, END_HEADERS, 1, b"\x20" + CONNECT)),
    "client_open": CLIENT + act(0) + frame(HEADERS, END_HEADERS, 1, block((":status", "103"))) +
                   frame(HEADERS, END_HEADERS, 1, OK) + act(14, 0, 50) + frame(DATA, 0, 1, b"x") + act(11) +
                   frame(DATA, END_STREAM, 1, b"y"),
    "client_refused": CLIENT + act(0) + act(0) + frame(HEADERS, END_HEADERS | END_STREAM, 1, block((":status", "503"))) +
                      frame(GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\0") + act(10),
    "client_trailers": CLIENT + act(0) + frame(HEADERS, END_HEADERS, 1, OK) +
                       frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("x", "y"))),
}

HEADER = {
    "baggage": b"\x00k8s.cluster.name=K,k8s.namespace.name=n,k8s.deployment.name=d,service.name=s,service.version=v,"
               b"cloud.region=r,cloud.availability_zone=z",
    "forwarded": b"\x00for=\"10.231.1.2:50592\";host=server.default.svc.cluster.local",
    "forwarded_v6": b"\x00for=\"[fd00::1]:80\";host=\"a.b\"",
    "traceparent": b"\x0000-2031f3736b776da6e51d5b2377bb0347-fe1cae517d978d44-00",
    "authority": b"\x0010.0.0.1:80",
    "authority_v6": b"\x00[fd00::1]:15008",
    "authority_host": b"\x00server.default.svc.cluster.local:8080",
    "request": b"\x01" + CONNECT,
    "request_update": b"\x01\x20" + CONNECT,
    "request_indexed": b"\x01" + INDEXED + b"\xbe",
    "response": b"\x02" + OK,
    "response_static": b"\x02\x88",
    "trailers": b"\x03" + block(("x", "y")),
}


def main():
    for name, seeds in (("hbone_session", SESSION), ("hbone_headers", HEADER)):
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for seed, content in seeds.items():
            (folder / seed).write_bytes(content)


if __name__ == "__main__":
    main()
