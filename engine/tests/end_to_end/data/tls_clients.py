"""Python's clients through an intercepting proxy; prints what they saw as JSON.

usage: tls_clients.py httpx|aiohttp PROXY_URL AUTHORITY ORIGIN_URL
       tls_clients.py websockets PROXY_URL AUTHORITY CERTIFICATE KEY

The clients trust AUTHORITY; the last form brings a server with CERTIFICATE.
"""

import asyncio
import json
import ssl
import sys
import threading


async def through_httpx(proxy, trusted, origin):
    import httpx

    async def pieces():
        for _ in range(100):
            yield b"p" * 10_000

    async with httpx.AsyncClient(http2=True, proxy=proxy, verify=trusted, trust_env=False, timeout=20) as client:
        await client.get(f"{origin}/page.html")
        many = await asyncio.gather(*(client.get(f"{origin}/page.html?{index}") for index in range(100)))
        large = 0
        async with client.stream("GET", f"{origin}/large") as answer:
            async for piece in answer.aiter_bytes():
                large += len(piece)
        posted = await client.post(f"{origin}/upload", content=pieces())
        missing = await client.get(f"{origin}/missing")
        denied = await client.get(f"{origin}/secret")
    return {
        "versions": sorted({answer.http_version for answer in many}),
        "bytes": sum(len(answer.content) for answer in many),
        "large": large,
        "posted": posted.status_code,
        "missing": missing.status_code,
        "denied": [denied.status_code, "http_request_denied" in denied.headers["proxy-status"]],
    }


async def through_aiohttp(proxy, trusted, origin):
    import aiohttp

    async def get(session, path):
        async with session.get(origin + path, proxy=proxy, ssl=trusted) as answer:
            return answer.status, len(await answer.read())

    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        many = await asyncio.gather(*(get(session, "/page.html") for _ in range(100)))
        large = await get(session, "/large")
        async with session.post(origin + "/upload", data=b"p" * 1_000_000, proxy=proxy, ssl=trusted) as answer:
            posted = answer.status
        denied = await get(session, "/secret")
    return {"bytes": sum(size for _, size in many), "large": large[1], "posted": posted, "denied": denied[0]}


def through_websockets(proxy, trusted, certificate, key):
    from websockets.sync.client import connect
    from websockets.sync.server import serve

    def echo(connection):
        for message in connection:
            connection.send(message)

    identity = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    identity.load_cert_chain(certificate, key)
    with serve(echo, "127.0.0.1", 0, ssl=identity, max_size=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = "wss://a.test:%d/chat" % server.socket.getsockname()[1]
        with connect(url, proxy=proxy, ssl=trusted, compression=None, max_size=None, open_timeout=20) as client:
            sizes = []
            for message in ("hello", "x" * 200_000, bytes(5_000_000)):
                client.send(message)
                answer = client.recv(timeout=20)
                sizes.append(len(answer) if answer == message else -1)
            client.ping().wait(20)
            issuer = dict(part[0] for part in client.socket.getpeercert()["issuer"])["commonName"]
        server.shutdown()
    return {"sizes": sizes, "issuer": issuer, "closed": client.close_code}


name, proxy, authority, *rest = sys.argv[1:]
trusted = ssl.create_default_context(cafile=authority)
if name == "websockets":
    seen = through_websockets(proxy, trusted, *rest)
else:
    seen = asyncio.run({"httpx": through_httpx, "aiohttp": through_aiohttp}[name](proxy, trusted, *rest))
print(json.dumps(seen))
