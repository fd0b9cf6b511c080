"""A gRPC client and server in one process, the client through the proxy.

usage: http2_grpc.py PROXY_URL [CERTIFICATE KEY AUTHORITY]

Prints what each kind of call came to as JSON. With three files the server speaks TLS, and the client
trusts the authority.
"""

import concurrent.futures
import json
import os
import pathlib
import sys
import threading

os.environ["http_proxy"] = sys.argv[1]
os.environ["grpc_proxy"] = sys.argv[1]

import grpc  # pylint: disable=wrong-import-position


def unary(request, context):
    context.set_trailing_metadata((("x-trailer", "behind"),))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")
    return request[::-1]


def server_streaming(request, _context):
    for number in range(int(request)):
        yield b"%d" % number


def client_streaming(requests, _context):
    return b"%d" % sum(len(request) for request in requests)


def bidirectional(requests, _context):
    for request in requests:
        yield request.upper()


class Service(grpc.GenericRpcHandler):
    def service(self, details):
        return {
            "/test.Service/Unary": grpc.unary_unary_rpc_method_handler(unary),
            "/test.Service/ServerStreaming": grpc.unary_stream_rpc_method_handler(server_streaming),
            "/test.Service/ClientStreaming": grpc.stream_unary_rpc_method_handler(client_streaming),
            "/test.Service/Bidirectional": grpc.stream_stream_rpc_method_handler(bidirectional),
        }.get(details.method)


def talk(channel):
    """Each message is sent only when the answer to the one before has come: both ways at once."""
    sent, lock = [b"one", b"two", b"three"], threading.Semaphore(1)

    def messages():
        for message in sent:
            assert lock.acquire(timeout=10), "no answer"
            yield message

    answers = []
    for answer in channel.stream_stream("/test.Service/Bidirectional")(messages(), timeout=20):
        answers.append(answer.decode())
        lock.release()
    return answers


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((Service(),))
    if sys.argv[2:]:
        certificate, key, authority = (pathlib.Path(name).read_bytes() for name in sys.argv[2:])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
        opened = grpc.secure_channel(f"a.test:{port}", grpc.ssl_channel_credentials(authority))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
        opened = grpc.insecure_channel(f"a.test:{port}")
    server.start()
    seen = {}
    with opened as channel:
        call = channel.unary_unary("/test.Service/Unary")
        answer, context = call.with_call(b"abc", timeout=20)
        seen["unary"] = [answer.decode(), dict(context.trailing_metadata()).get("x-trailer")]
        seen["large"] = len(call(b"x" * 3_000_000, timeout=20))
        try:
            call(b"fail", timeout=20)
        except grpc.RpcError as error:
            seen["failed"] = [error.code().name, error.details()]
        streaming = channel.unary_stream("/test.Service/ServerStreaming")
        seen["server_streaming"] = len(list(streaming(b"1000", timeout=20)))
        count = channel.stream_unary("/test.Service/ClientStreaming")
        seen["client_streaming"] = int(count(iter([b"x" * 1000] * 500), timeout=20))
        seen["bidirectional"] = talk(channel)
        try:
            channel.unary_unary("/test.Service/None")(b"", timeout=20)
        except grpc.RpcError as error:
            seen["unknown"] = error.code().name
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = pool.map(lambda number: call(b"%d" % number, timeout=20), range(200))
            seen["parallel"] = sum(1 for number, answer in enumerate(answers) if answer == (b"%d" % number)[::-1])
    server.stop(None)
    print(json.dumps(seen))


main()
