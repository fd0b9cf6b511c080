"""Python requests through the proxy; prints what it saw as JSON.

Arguments: proxy URL, http URL of the origin, https URL of the origin, file with its certificate,
URL that is denied.
"""

import json
import sys

import requests

proxy, plain, tls, certificate, denied = sys.argv[1:]
session = requests.Session()
session.trust_env = False
session.proxies = {"http": proxy, "https": proxy}
session.verify = certificate
seen = {}

for name, base in (("http", plain), ("https", tls)):
    answer = session.get(base + "/bytes/100000", timeout=20)
    echoed = session.post(base + "/echo", data=b"x" * 5000, timeout=20).json()
    chunked = session.put(base + "/echo", data=iter([b"one", b"two"]), timeout=20).json()
    with session.get(base + "/bytes/3000000?chunked=1", stream=True, timeout=20) as stream:
        streamed = sum(len(piece) for piece in stream.iter_content(65536))
    head = session.head(base + "/bytes/12", timeout=20)
    seen[name] = {
        "status": answer.status_code,
        "bytes": len(answer.content),
        "posted": echoed["body_bytes"],
        "put": chunked["body"],
        "streamed": streamed,
        "head": head.headers["Content-Length"],
        "via": answer.headers.get("Via"),
    }

answer = session.get(denied, timeout=20)
seen["denied"] = {"status": answer.status_code, "proxy_status": answer.headers["Proxy-Status"]}
try:
    session.get(denied.replace("http:", "https:"), timeout=20)
except requests.exceptions.ProxyError as error:
    seen["denied"]["tunnel"] = "403" in str(error)
print(json.dumps(seen))
