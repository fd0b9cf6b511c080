"""Calls of gRPC whose client is silent for a while, through the proxy.

usage: grpc_silence.py PROXY_URL

Prints what each kind of call came to as JSON.
"""

import concurrent.futures
import json
import os
import sys
import time

os.environ["http_proxy"] = sys.argv[1]
os.environ["grpc_proxy"] = sys.argv[1]

import grpc  # pylint: disable=wrong-import-position

# Several times what an upload may be silent.
SILENCE = 1.5


def count(requests, _context):
    return b"%d" % sum(1 for _ in requests)


def echo(requests, _context):
    for request in requests:
        yield request.upper()


class Service(grpc.GenericRpcHandler):
    def service(self, details):
        return {
            "/test.Service/Count": grpc.stream_unary_rpc_method_handler(count),
            "/test.Service/Echo": grpc.stream_stream_rpc_method_handler(echo),
        }.get(details.method)


def messages():
    yield b"one"
    time.sleep(SILENCE)
    yield b"two"


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Service(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    seen = {}
    with grpc.insecure_channel(f"a.test:{port}") as channel:
        answer = channel.stream_unary("/test.Service/Count")(messages(), timeout=20)
        seen["client_streaming"] = int(answer)
        answers = channel.stream_stream("/test.Service/Echo")(messages(), timeout=20)
        seen["bidirectional"] = [answer.decode() for answer in answers]
    server.stop(None)
    print(json.dumps(seen))


main()
