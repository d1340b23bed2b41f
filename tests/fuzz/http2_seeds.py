#!/usr/bin/env python3
"""Writes the seeds of the HTTP/2 fuzz targets: corpus/http2_server and corpus/http2_client beside this file.

The formats are those of http2_server_fuzz.cc and http2_client_fuzz.cc; run it again when they change.
"""
import pathlib
import shutil

HERE = pathlib.Path(__file__).parent / "corpus"
FRAME = b"\x00"  # and then everybody gets a turn
DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIO = 1, 1, 4, 8, 0x20
BEGUN, ABORTED = b"\x01", b"\x03"


def frame(kind, flags, stream, payload=b""):
    """As the fuzz targets read it: one byte for each of type, flags, stream, length."""
    return FRAME + bytes([kind, flags, stream, len(payload)]) + payload


def block(*fields):
    """Literal fields without indexing (RFC 7541 section 6.2.2)."""
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
                    for name, value in fields)


def request(path="/", method="GET", *more):
    return block((":method", method), (":scheme", "http"), (":authority", "a"), (":path", path), *more)


def head(stream, fields, flags=END_STREAM):
    return frame(HEADERS, flags | END_HEADERS, stream, fields)


UPGRADE = block((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "a"),
                (":path", "/"))
SERVER = {
    **{f"path_{length}": BEGUN + head(1, request("/" + "x" * (length - 1), "POST"), 0) + frame(DATA, 0, 1, b"hello") +
       frame(DATA, END_STREAM, 1, b"bye") for length in range(1, 9)},
    "trailers": BEGUN + head(1, request(method="POST"), 0) + frame(DATA, 0, 1, b"x") + head(1, block(("a", "b"))),
    "padded": BEGUN + frame(HEADERS, END_HEADERS | PADDED | PRIO, 1, b"\2\0\0\0\0\x10" + request() + b"\0\0") +
              frame(DATA, PADDED | END_STREAM, 1, b"\3abc\0\0\0"),
    "continuation": BEGUN + frame(HEADERS, END_STREAM, 1, request()[:9]) + frame(CONTINUATION, END_HEADERS, 1, request()[9:]),
    "connect": BEGUN + head(1, block((":method", "CONNECT"), (":authority", "a:1")), 0) + frame(DATA, 0, 1, b"x"),
    "upgrade": BEGUN + head(1, UPGRADE, 0) + frame(DATA, END_STREAM, 1, b"x"),
    "reset": ABORTED + head(1, request("/xxxx")) + frame(RST, 0, 1, b"\0\0\0\x08") + frame(DATA, 0, 1, b"late"),
    "windows": BEGUN + frame(SETTINGS, 0, 0, b"\0\4\0\0\0\1") + head(1, request("/xxxxx")) +
               frame(WINDOW, 0, 1, b"\0\0\1\0") + frame(WINDOW, 0, 0, b"\0\0\1\0") + frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff"),
    "drain": BEGUN + head(1, request("/xxxx")) + b"\xff" + frame(PING, ACK, 0, b"\xff" * 8) + head(3, request()) +
             frame(RST, 0, 1, b"\0\0\0\x08"),
    "control": BEGUN + frame(PING, 0, 0, b"12345678") + frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0why") +
               frame(PRIORITY, 0, 5, b"\0\0\0\1\x10") + frame(11, 0, 0, b"?"),
    "large": BEGUN + head(1, request("/", "GET", *[("x", "y")] * 20)) + head(3, request()),
    "bad": BEGUN + head(1, request("/ x")) + head(3, request("/", "GET", ("connection", "close"))) +
           head(5, request("/", "POST", ("content-length", "5")), 0) + frame(DATA, END_STREAM, 5, b"1"),
    "old": b"\x00" + bytes([159 + 18]) + b"GET / HTTP/1.1\r\n\r\n",
}
OK = block((":status", "200"))
CLIENT = {
    "answer": BEGUN + head(1, OK, 0) + frame(DATA, END_STREAM, 1, b"hello"),
    "interim": BEGUN + head(1, block((":status", "103"), ("link", "a")), 0) + head(1, OK, 0) + head(1, block(("x", "y"))),
    "early": b"\x51" + head(1, block((":status", "413"))) + frame(RST, 0, 1, b"\0\0\0\0"),
    "upload": b"\x51" + frame(WINDOW, 0, 0, b"\0\1\0\0") + frame(WINDOW, 0, 1, b"\0\1\0\0") + head(1, OK),
    "refused": BEGUN + frame(RST, 0, 1, b"\0\0\0\7"),
    "goaway": BEGUN + b"\xc0\1\xc0\2" + frame(GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\0") + head(1, OK),
    "upgrade": BEGUN + frame(SETTINGS, 0, 0, b"\0\x08\0\0\0\1") + b"\xc0\5" + head(3, OK, 0) + frame(DATA, 0, 3, b"x"),
    "few": BEGUN + frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1") + b"\xc0\0\xc0\0" + head(1, OK) + b"\xc0\0",
    "push": BEGUN + frame(5, END_HEADERS, 1, b"\0\0\0\2" + request()),
    "drain": BEGUN + b"\xfe" + head(1, OK),
    "bad": ABORTED + head(1, block((":status", "101"))) + b"\xc0\0" + head(3, block((":status", "200"), ("X", "y"))),
}


def main():
    for name, seeds in (("http2_server", SERVER), ("http2_client", CLIENT)):
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for seed, content in seeds.items():
            (folder / seed).write_bytes(content)


if __name__ == "__main__":
    main()
