"""One end of connections that vanish: nothing is said, and what comes later meets a reset.

`origin`: serves HTTP/1.1 and prints its port. GET /vanish is answered, then the connection is gone (`vanished`); GET
/stream begins a stream of events, then it is gone; all else is answered with method, path and content.
`client HOST PORT TEXT`: sends TEXT, waits for a first response byte, is gone, and prints `gone`.
"""

import socket
import sys
import threading

TCP_REPAIR = 19


def vanish(connection):
    """The kernel forgets the connection (needs CAP_NET_ADMIN)."""
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    connection.close()


def receive_head(connection, received):
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            return None, b""
        received += more
    return received.split(b"\r\n\r\n", 1)


def serve(connection):
    received = b""
    while True:
        head, received = receive_head(connection, received)
        if head is None:
            return connection.close()
        lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        method, path, _ = lines[0].split(" ")
        length = int(fields.get("content-length", 0))
        while len(received) < length:
            received += connection.recv(65536)
        content, received = received[:length], received[length:]
        if path == "/stream":
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
            )
            return vanish(connection)
        answer = f"{method} {path} ".encode() + content
        size = str(len(answer)).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: " + size + b"\r\n\r\n" + answer
        )
        if path == "/vanish":
            vanish(connection)
            return print("vanished", flush=True)


def origin():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def client(host, port, text):
    connection = socket.create_connection((host, int(port)))
    connection.sendall(text.encode())
    connection.recv(1)
    vanish(connection)
    print("gone", flush=True)


if sys.argv[1] == "origin":
    origin()
else:
    client(*sys.argv[2:])
