"""Asks the token service by curl, as a user of it would: run_token_service.py TOKEN_SERVICE WHOAMI FOLDER

Each of its lines and answers once, then the OAuth clients of token_clients.py, then examples/whoami as
another process that verifies its tokens by its key set.
"""
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import token_clients
from harness import Checks, Server, curl

TOKEN_SERVICE, WHOAMI, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
DEMO = [TOKEN_SERVICE, "--demo", "--listen", "127.0.0.1:0"]
GOOD = "username=alice&password=wonderland"
DOCUMENTS = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]


def post(address, form, *headers):
    return curl(address, *headers, path="/token", options=["--data", form])


def get(address, path, token=None):
    return curl(address, *([f"Authorization: Bearer {token}"] if token else []), path=path)


def refused(checks, what, answer, status, error):
    body = answer.json() or {}
    checks.equal((answer.status, body.get("error")), (status, error), what)
    checks.equal(answer.one("cache-control"), "no-store", f"{what}: not stored")
    challenge = answer.one("www-authenticate")
    checks.equal(challenge is not None, status == 401, f"{what}: a challenge")
    return challenge or ""


def token_endpoint(checks, address):
    answer = post(address, f"grant_type=password&{GOOD}")
    checks.equal(answer.status, 200, "a token")
    checks.equal(answer.one("cache-control"), "no-store", "a token: not stored")
    checks.equal(answer.one("pragma"), "no-cache", "a token: not cached")
    body = answer.json()
    checks.equal(body["token_type"], "bearer", "token_type")
    checks.equal(body["expires_in"], 1800, "expires_in")
    checks.equal(body["scope"], "read", "scope")

    wrong = "username=alice&password=wrong"
    challenge = refused(checks, "a wrong password", post(address, wrong), 401, "invalid_grant")
    checks.that(challenge.startswith("Bearer realm="), "a wrong password: Bearer", challenge)
    refused(checks, "an unknown user", post(address, "username=bob&password=x"), 401, "invalid_grant")
    challenge = refused(
        checks, "a wrong password from a client that sent Basic",
        post(address, wrong, "Authorization: Basic Og=="), 401, "invalid_grant",
    )
    checks.that(challenge.startswith("Basic realm="), "with Basic: Basic", challenge)
    checks.equal(post(address, GOOD, "Authorization: Basic Og==").status, 200, "an empty client")
    challenge = refused(
        checks, "an unknown client", post(address, GOOD, "Authorization: Basic YTpi"), 401, "invalid_client"
    )
    checks.that(challenge.startswith("Basic realm="), "an unknown client: Basic", challenge)

    for what, form, error in [
        ("no grant_type and no password", "username=alice", "invalid_request"),
        ("another grant_type", f"grant_type=implicit&{GOOD}", "unsupported_grant_type"),
        ("a parameter twice", f"{GOOD}&username=bob", "invalid_request"),
        ("a scope that nobody has", f"{GOOD}&scope=admin", "invalid_scope"),
    ]:
        refused(checks, what, post(address, form), 400, error)
    body = '{"username": "alice", "password": "wonderland"}'
    answer = post(address, body, "Content-Type: application/json")
    refused(checks, "JSON", answer, 400, "invalid_request")
    checks.equal(post(address, f"{GOOD}&scope=read+write").json()["scope"], "read write", "scopes")
    answer = get(address, "/token")
    checks.equal((answer.status, answer.one("allow")), (405, "POST"), "GET /token")


def routes(checks, address):
    token = post(address, GOOD).json()["access_token"]
    expected = {
        "/protected": {"message": "Access granted", "user": "alice"},
        "/user": {"username": "alice"},
        "/secure": {"message": "Token received", "token": token},
    }
    for path, body in expected.items():
        checks.equal(get(address, path, token).json(), body, path)
        answer = get(address, path)
        checks.equal(answer.status, 401, f"{path} without a token")
        challenge = answer.one("www-authenticate") or ""
        checks.that(challenge.startswith("Bearer realm=") and "error" not in challenge, path, challenge)
        checks.equal(get(address, path, "a b").status, 400, f"{path}: malformed credentials")
    checks.equal(get(address, "/secure", "anything").json()["token"], "anything", "/secure: any token")
    for what, bad in [("nonsense", "nonsense"), ("spoiled", token[:-9] + "AAAAAAAAA")]:
        answer = get(address, "/protected", bad)
        challenge = answer.one("www-authenticate") or ""
        checks.equal(answer.status, 401, what)
        checks.that('error="invalid_token"' in challenge and "expired" not in challenge, what, challenge)


def metadata(checks, address):
    issuer = f"http://{address}"
    for path in DOCUMENTS:
        document = get(address, path).json()
        checks.equal(document["issuer"], issuer, f"{path}: issuer")
        for name in ("token_endpoint", "jwks_uri", "service_documentation"):
            there = get(address, document[name].removeprefix(issuer)).status
            checks.that(there in (200, 303, 405), f"{path}: {name} is there", there)
    keys = get(address, "/jwks.json").json()["keys"]
    checks.equal([(key["alg"], key["crv"], "d" in key) for key in keys], [("ES256", "P-256", False)], "keys")
    schemes = get(address, "/openapi.json").json()["components"]["securitySchemes"]
    kinds = {(scheme["type"], scheme.get("scheme")) for scheme in schemes.values()}
    checks.equal(kinds, {("oauth2", None), ("http", "bearer")}, "both schemes")
    checks.equal(get(address, "/docs/").status, 200, "the page")
    root = get(address, "/")
    checks.equal((root.status, root.one("location")), (303, "docs/"), "the root leads to the page")


def guessing(checks, address):
    for _ in range(10):
        answer = post(address, "username=carol&password=wrong")
        checks.equal(answer.status, 401, "a wrong guess")
    # One guess comes back in 6 s, which may have passed on a busy machine.
    for _ in range(10):
        answer = post(address, "username=carol&password=wrong")
        if answer.status == 429:
            break
    refused(checks, "one guess too many", answer, 429, "too_many_attempts")
    checks.that(0 < int(answer.one("retry-after") or 0) <= 6, "Retry-After", answer.headers)
    checks.equal(post(address, GOOD).status, 200, "another user meanwhile")


def another_process(checks, address):
    """whoami verifies by the key set alone, and knows another service's tokens from these."""
    issuer = f"http://{address}"
    keys = FOLDER / "jwks.json"
    keys.write_text(get(address, "/jwks.json").body)
    token = post(address, GOOD).json()["access_token"]
    flags = ["--listen", "127.0.0.1:0", "--issuer", issuer, "--audience", issuer, "--jwks", str(keys)]
    with Server([WHOAMI, *flags]) as whoami, Server(DEMO) as other:
        answer = get(whoami.addresses[0], "/", token)
        checks.equal(answer.status, 200, "whoami accepts the token")
        claims = (answer.json() or {}).get("claims", {})
        checks.equal((claims.get("sub"), claims.get("aud")), ("alice", issuer), "whoami: claims")
        stranger = post(other.addresses[0], GOOD).json()["access_token"]
        checks.equal(get(whoami.addresses[0], "/", stranger).status, 401, "whoami refuses another's")
        checks.equal(get(whoami.addresses[0], "/").status, 401, "whoami asks for a token")


def flags(checks):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = f"127.0.0.1:{taken.getsockname()[1]}"
        for bad in [
            ["--database", "nowhere"], ["--demo", "--unknown"], ["--demo", "--listen", port], ["--demo", "--listen", "nowhere"],
            ["--demo", "--lifetime", "0"], ["--demo", "--listen", "127.0.0.1:0", "--issuer", "nowhere"],
        ]:
            run = subprocess.run([TOKEN_SERVICE, *bad], capture_output=True, text=True, timeout=10)
            checks.equal(run.returncode, 2, f"status of {bad}")
            checks.equal(len(run.stderr.splitlines()), 1, f"sentences of {bad}: {run.stderr}")

    named = ["--issuer", "https://issuer.example/", "--lifetime", "1"]
    with Server([*DEMO, *named]) as service:
        address = service.addresses[0]
        for path in DOCUMENTS:
            checks.equal(get(address, path).json()["issuer"], named[1], "--issuer")
        answer = post(address, GOOD).json()
        checks.equal(answer["expires_in"], 1, "--lifetime")
        time.sleep(2.1)
        challenge = get(address, "/protected", answer["access_token"]).one("www-authenticate") or ""
        checks.that("expired" in challenge, "an expired token", challenge)

    for by in (signal.SIGTERM, signal.SIGINT):
        began = time.monotonic()
        with Server(DEMO) as service:
            with socket.create_connection(service.addresses[0].split(":")):
                checks.equal(service.stop(by), 0, f"{by.name} ends it")
        checks.that(time.monotonic() - began < 5, "a start and a stop", time.monotonic() - began)


checks = Checks()
for part in (token_endpoint, routes, metadata, guessing, another_process):
    # A service for each, as wrong guesses add up.
    with Server(DEMO) as service:
        part(checks, service.addresses[0])
with Server(DEMO) as service:
    token_clients.run(checks, f"http://{service.addresses[0]}")
flags(checks)

checks.end("the token service")
