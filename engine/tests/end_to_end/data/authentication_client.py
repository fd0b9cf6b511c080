"""Python requests through a proxy that asks who it is; prints what it saw as JSON.

Arguments: URL of the proxy with credentials, the same without, http URL, https URL, file of its certificate.
"""

import json
import sys

import requests

known, unknown, plain, tls, certificate = sys.argv[1:]
seen = {}
for name, proxy in (("known", known), ("unknown", unknown)):
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"http": proxy, "https": proxy}
    session.verify = certificate
    answer = session.get(plain, timeout=20)
    seen[name] = {"http": answer.status_code, "challenge": answer.headers.get("Proxy-Authenticate")}
    try:
        seen[name]["https"] = session.get(tls, timeout=20).status_code
    except requests.exceptions.ProxyError as error:
        seen[name]["https"] = "407" if "407" in str(error) else str(error)
print(json.dumps(seen))
