"""What costs the receiver more than the sender (RFC 9113 section 10.5), against the proxy.

usage: http2_floods.py PROXY TARGET [CA]     prints {case: null or what went wrong} as JSON
"""

import json
import socket
import struct
import sys
import time

from http2_frames import *  # pylint: disable=wildcard-import,unused-wildcard-import

PROXY, TARGET = sys.argv[1:3]
CA = sys.argv[3] if len(sys.argv) > 3 else None
SCHEME = "https" if CA else "http"
FIELDS = [(":method", "GET"), (":scheme", SCHEME), (":path", "/"), (":authority", TARGET)]


def connect():
    peer = Peer(tunnel(PROXY, TARGET, CA))
    peer.send(PREFACE, settings())
    peer.wait(lambda kind, *_: kind == SETTINGS)
    peer.send(frame(SETTINGS, ACK, 0))
    return peer


def closed(peer, *codes):
    """The proxy says why, or at least closes."""
    try:
        *_, payload = peer.wait(lambda kind, *_: kind == GOAWAY)
        code = struct.unpack(">I", payload[4:8])[0]
        assert code in codes, f"GOAWAY {code}"
    except Closed:
        pass


def flood(sent, *codes, times=40):
    """Sends batches until the connection is closed; it is an error if it never is."""
    peer = connect()
    try:
        for number in range(times):
            peer.send(sent(number) if callable(sent) else sent)
    except (Closed, socket.timeout):
        return
    closed(peer, *codes)


def resets(number):
    streams = range(1 + 200 * number, 1 + 200 * (number + 1), 2)
    head = block(FIELDS)
    return b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, stream, head) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
        for stream in streams
    )


def ordinary_cancels():
    """A few hundred requests that are given up soon, and many behind the head of their response."""
    peer = connect()
    streams = iter(range(1, 1 << 20, 2))
    head = block(FIELDS)
    for _ in range(50):
        for stream in [next(streams) for _ in range(10)]:
            peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, head), frame(RST_STREAM, 0, stream, b"\0\0\0\x08"))
        peer.send(frame(PING, 0, 0, b"12345678"))
        found = peer.wait(lambda kind, flags, *_: kind == GOAWAY or (kind == PING and flags & ACK))
        assert found[0] == PING, found
    for _ in range(600):
        stream = next(streams)
        peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, head))
        found = peer.wait(lambda kind, _f, other, _p: kind == GOAWAY or (kind == HEADERS and other == stream))
        assert found[0] == HEADERS, found
        peer.send(frame(RST_STREAM, 0, stream, b"\0\0\0\x08"))


def faults(number):
    """The client has the proxy reset its streams (CVE-2025-8671)."""
    streams = range(1 + 200 * number, 1 + 200 * (number + 1), 2)
    head = block(FIELDS)
    return b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, stream, head) + frame(WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff")
        for stream in streams
    )


def continuations():
    """A header block that never ends."""
    peer = connect()
    peer.send(frame(HEADERS, END_STREAM, 1, block(FIELDS)))
    try:
        for _ in range(2000):
            peer.send(frame(CONTINUATION, 0, 1, block([("x", "y" * 1000)])))
    except (Closed, socket.timeout):
        return
    closed(peer, ENHANCE_YOUR_CALM, PROTOCOL_ERROR)


def large_heads():
    """More than the limit: 431, or the end."""
    peer = connect()
    big = block(FIELDS + [(f"x-{number}", "y" * 500) for number in range(90)])
    peer.send(frame(HEADERS, END_STREAM, 1, big[:16384]))
    for start in range(16384, len(big), 16384):
        peer.send(frame(CONTINUATION, 0, 1, big[start : start + 16384]))
    peer.send(frame(CONTINUATION, END_HEADERS, 1))
    try:
        kind, *_, payload = peer.wait(lambda kind, *_: kind in (HEADERS, RST_STREAM, GOAWAY))
        if kind == HEADERS:
            assert payload[":status"] == "431", payload
    except Closed:
        pass


def table_bomb():
    """One large entry of the dynamic table, named thousands of times (RFC 7541 section 7.3)."""
    peer = connect()
    entry = b"\x40" + integer(1) + b"x" + integer(4000) + b"y" * 4000
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(FIELDS) + entry + b"\xbe" * 12000))
    try:
        kind, *_, payload = peer.wait(lambda kind, *_: kind in (HEADERS, RST_STREAM, GOAWAY))
        if kind == HEADERS:
            assert payload[":status"] in ("400", "431"), payload
    except Closed:
        pass


def small_windows():
    """Streams whose content nobody takes: others are served meanwhile."""
    peer = connect()
    peer.send(settings((INITIAL_WINDOW_SIZE, 0)))
    head = [(name, "/large" if name == ":path" else value) for name, value in FIELDS]
    for stream in range(1, 101, 2):
        peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block(head)))
    other = connect()
    began = time.monotonic()
    other.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(FIELDS)))
    other.wait(lambda kind, *_: kind == HEADERS)
    assert time.monotonic() - began < 5


CASES = {
    "ping": lambda: flood(frame(PING, 0, 0, b"12345678") * 500, ENHANCE_YOUR_CALM),
    "settings": lambda: flood(settings((3, 100)) * 500, ENHANCE_YOUR_CALM),
    "priority": lambda: flood(frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") * 500, ENHANCE_YOUR_CALM),
    "window_update": lambda: flood(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01") * 500, ENHANCE_YOUR_CALM),
    "unknown": lambda: flood(frame(0xEE, 0, 0, b"x") * 500, ENHANCE_YOUR_CALM),
    "resets": lambda: flood(resets, ENHANCE_YOUR_CALM),
    "ordinary_cancels": ordinary_cancels,
    "faults": lambda: flood(faults, ENHANCE_YOUR_CALM),
    "empty_data": lambda: flood(
        lambda number: (frame(HEADERS, END_HEADERS, 1, block([(":method", "POST")] + FIELDS[1:])) if number == 0 else b"")
        + frame(DATA, 0, 1) * 500,
        ENHANCE_YOUR_CALM,
    ),
    "continuations": continuations,
    "large_heads": large_heads,
    "table_bomb": table_bomb,
    "small_windows": small_windows,
}
print(json.dumps({name: outcome(run) for name, run in CASES.items()}, indent=1))
