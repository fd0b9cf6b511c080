"""A WebSocket server and clients of it through the proxy; prints what they saw as JSON.

Argument: proxy URL. One client goes through a CONNECT tunnel, one sends its handshake in absolute form.
"""

import json
import socket
import sys
import threading
import urllib.parse

from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.sync.client import connect
from websockets.sync.server import serve
from websockets.uri import parse_uri


def echo(connection):
    for message in connection:
        connection.send(message)


def through_a_tunnel(proxy, url):
    with connect(url, proxy=proxy, open_timeout=20) as client:
        sizes = []
        for message in ("hello", "x" * 200_000, bytes(70_000)):
            client.send(message)
            answer = client.recv(timeout=20)
            sizes.append(len(answer) if answer == message else -1)
        client.ping().wait(20)
    return sizes


def in_absolute_form(proxy, url):
    address = urllib.parse.urlsplit(proxy)
    protocol = ClientProtocol(parse_uri(url))
    protocol.send_request(protocol.connect())
    head = b"".join(protocol.data_to_send())
    target = url.replace("ws:", "http:").encode()
    with socket.create_connection((address.hostname, address.port), timeout=20) as stream:
        stream.sendall(head.replace(b"GET / ", b"GET " + target + b" ", 1))
        answers = []
        sent = False
        while not answers:
            protocol.receive_data(stream.recv(65536))
            events = protocol.events_received()
            if events and not sent:
                protocol.send_text(b"hello")
                stream.sendall(b"".join(protocol.data_to_send()))
                sent = True
            answers += [event.data.decode() for event in events if getattr(event, "opcode", None) is Opcode.TEXT]
    return answers


proxy = sys.argv[1]
with serve(echo, "127.0.0.1", 0) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "ws://127.0.0.1:%d/" % server.socket.getsockname()[1]
    print(json.dumps({"tunnel": through_a_tunnel(proxy, url), "absolute": in_absolute_form(proxy, url)}))
    server.shutdown()
