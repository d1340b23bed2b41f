#!/usr/bin/env python3
"""Writes the seeds of dns_fuzz.cc: corpus/dns beside this file. Run it again when the format changes."""
import pathlib
import shutil
import struct

HERE = pathlib.Path(__file__).parent / "corpus" / "dns"
QUERY, RESPONSE, TEXT = b"\x00", b"\x01", b"\x02"
A, CNAME, SOA, AAAA, OPT, HTTPS = 1, 5, 6, 28, 41, 65
POINTER = b"\xc0\x0c"


def name(dotted):
    return b"".join(bytes([len(label)]) + label.encode() for label in dotted.split(".")) + b"\0"


def question(dotted, kind):
    return name(dotted) + struct.pack(">HH", kind, 1)


def record(owner, kind, data, ttl=60):
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def opt(size=1232, version=0, flags=0, options=b""):
    return b"\0" + struct.pack(">HHBBHH", OPT, size, 0, version, flags, len(options)) + options


def message(flags, questions=(), answers=(), authorities=(), additionals=()):
    sections = (questions, answers, authorities, additionals)
    head = struct.pack(">HHHHHH", 0x1234, flags, *(len(section) for section in sections))
    return head + b"".join(part for section in sections for part in section)


WWW = question("www.Example.com", A)
SOA_DATA = name("ns.example.com") + name("host.example.com") + struct.pack(">IIIII", 1, 2, 3, 4, 77)
SEEDS = {
    "query_a": QUERY + message(0x0100, [WWW]),
    "query_aaaa_edns": QUERY + message(0x0120, [question("server", AAAA)], additionals=[opt(4096, 0, 0x8000)]),
    "query_cookie": QUERY + message(0x0100, [WWW], additionals=[opt(options=b"\0\x0a\0\x0812345678")]),
    "query_search": QUERY + message(0x0100, [question("a.b.ns.svc.cluster.local", A)]),
    "query_dot": QUERY + message(0x0100, [b"\x0bweb.cluster" + question("local", A)]),
    "query_bad_version": QUERY + message(0x0100, [WWW], additionals=[opt(version=1)]),
    "query_https": QUERY + message(0x0100, [question("example.com", HTTPS)]),
    "query_update": QUERY + message(0x2800, [question("example.com", SOA)]),
    "query_nothing": QUERY + message(0x0100, additionals=[opt()]),
    "query_pointer": QUERY + message(0x0100, [POINTER + b"\0\1\0\1"]),
    "response_a": RESPONSE + message(0x8180, [WWW], [record(POINTER, A, b"\xc0\0\2\1")]),
    "response_chain": RESPONSE + message(
        0x8180, [WWW], [record(POINTER, CNAME, name("cdn.example.net")),
                        record(b"\xc0\x2d", AAAA, bytes(15) + b"\1"), record(name("cdn.example.net"), A, b"\1\2\3\4")],
        additionals=[opt()]),
    "response_negative": RESPONSE + message(0x8183, [WWW], authorities=[record(b"\xc0\x10", SOA, SOA_DATA)]),
    "response_truncated": RESPONSE + message(0x8380, [WWW]),
    "response_loop": RESPONSE + message(0x8180, [WWW], [record(b"\xc0\x21", CNAME, b"\xc0\x2d")]),
    "resolv_conf": TEXT + b"search a b\nnameserver 10.0.0.1\nnameserver fd00::1\noptions ndots:5\n",
    "servers": TEXT + b"10.0.0.1,10.0.0.2:5353,[fd00::1]:53",
    "escaped": TEXT + b"a\\.b.\\000c.example",
}


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir(parents=True)
    for seed, content in SEEDS.items():
        (HERE / seed).write_bytes(content)


if __name__ == "__main__":
    main()
