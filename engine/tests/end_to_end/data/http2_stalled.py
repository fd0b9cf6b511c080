"""Streams in which one side sends as much as it may and the other takes nothing.

usage: http2_stalled.py PROXY HOST up|down CONNECTIONS STREAMS

Client and origin, both with windows of 0 for what the other sends. Prints `held` when all was sent, and waits for
standard input to end.
"""

import socket
import struct
import sys
import threading
import time

from http2_frames import *  # pylint: disable=wildcard-import,unused-wildcard-import

PROXY, HOST, DIRECTION = sys.argv[1:4]
CONNECTIONS, STREAMS = map(int, sys.argv[4:])
STREAM_BYTES = 256 * 1024
OK = b"\x88"


def origin(connection):
    peer = Peer(connection)
    peer.connection.settimeout(None)
    try:
        peer.take(len(PREFACE))
        peer.send(settings((INITIAL_WINDOW_SIZE, 0)))
        peer.wait(lambda kind, flags, *_: kind == SETTINGS and not flags & ACK)
        peer.send(frame(SETTINGS, ACK, 0))
        while True:
            stream = peer.wait(lambda kind, *_: kind == HEADERS)[2]
            if DIRECTION == "down":
                peer.send(frame(HEADERS, END_HEADERS, stream, OK), frame(DATA, 0, stream, b"x" * 16384) * (STREAM_BYTES // 16384))
    except (Closed, OSError):
        pass


def accept(listener):
    while True:
        threading.Thread(target=origin, args=(listener.accept()[0],), daemon=True).start()


def client(port):
    target = f"{HOST}:{port}"
    peer = Peer(tunnel(PROXY, target))
    peer.send(PREFACE, settings((INITIAL_WINDOW_SIZE, 0)))
    peer.wait(lambda kind, flags, *_: kind == SETTINGS and not flags & ACK)
    peer.send(frame(SETTINGS, ACK, 0))
    method = "POST" if DIRECTION == "up" else "GET"
    fields = [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", target)]
    flags = END_HEADERS if DIRECTION == "up" else END_HEADERS | END_STREAM
    try:
        for stream in range(1, 2 * STREAMS, 2):
            peer.send(frame(HEADERS, flags, stream, block(fields)))
            if DIRECTION == "up":
                for _ in range(STREAM_BYTES // 16384):
                    peer.send(frame(DATA, 0, stream, b"x" * 16384))
                    time.sleep(0.001)
    except (Closed, OSError):
        pass
    return peer


listener = socket.create_server(("127.0.0.1", 0), backlog=100)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
peers = [client(listener.getsockname()[1]) for _ in range(CONNECTIONS)]
time.sleep(2)
print("held", flush=True)
sys.stdin.read()
