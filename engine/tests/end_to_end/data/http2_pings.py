"""Streams in which nobody says anything, without TLS in a tunnel: who answers PING and who does not.

Argument: the port of the proxy. Prints what became of each.
"""

import json
import socket
import struct
import sys
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACK, END_STREAM, END_HEADERS = 1, 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def frames(connection, received=b""):
    while True:
        while len(received) >= 9:
            length = int.from_bytes(received[:3], "big")
            if len(received) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", received[3:9])
            yield kind, flags, stream, received[9 : 9 + length]
            received = received[9 + length :]
        more = connection.recv(65536)
        if not more:
            return
        received += more


def origin(connection, answers):
    """Begins a response, and ends it after three PINGs that it has answered."""
    received = b""
    while len(received) < len(PREFACE):
        received += connection.recv(65536)
    connection.sendall(frame(SETTINGS, 0, 0))
    pings = 0
    try:
        for kind, flags, stream, payload in frames(connection, received[len(PREFACE) :]):
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0))
            elif kind == HEADERS:
                open_stream = stream
                connection.sendall(frame(HEADERS, END_HEADERS, stream, b"\x88"))
            elif kind == PING and not flags & ACK and answers:
                connection.sendall(frame(PING, ACK, 0, payload))
                pings += 1
                if pings == 3:
                    connection.sendall(frame(DATA, END_STREAM, open_stream, b"done"))
    except OSError:
        pass


def listen(answers):
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=origin, args=(connection, answers), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def client(proxy, port, answers):
    """What becomes of a request whose client answers PING or not."""
    connection = socket.create_connection(("127.0.0.1", proxy))
    connection.settimeout(25)
    authority = f"127.0.0.1:{port}".encode()
    connection.sendall(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (authority, authority))
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, received = received.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200"), head
    block = b"\x82\x86\x84\x41" + bytes([len(authority)]) + authority
    connection.sendall(
        PREFACE
        + frame(SETTINGS, 0, 0)
        + frame(HEADERS, END_HEADERS | END_STREAM, 1, block)
    )
    try:
        for kind, flags, _, payload in frames(connection, received):
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK and answers:
                connection.sendall(frame(PING, ACK, 0, payload))
            elif kind == DATA and payload:
                return payload.decode()
            elif kind == RST_STREAM:
                return "reset"
    except ConnectionResetError:
        pass
    return "closed"


proxy = int(sys.argv[1])
alive, deaf = listen(True), listen(False)
print(
    json.dumps(
        {
            "alive": client(proxy, alive, True),
            "deaf origin": client(proxy, deaf, True),
            "deaf client": client(proxy, alive, False),
        }
    )
)
