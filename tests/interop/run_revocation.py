"""Two instances of examples/revocation with one Redis: run_revocation.py PROGRAM FOLDER"""
import base64
import hashlib
import hmac
import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

from harness import Checks, Server

SECRET = b"tower-jwt-auth demo secret: never use it for real"
LIFETIME = 2 * 3600 + 60
MARGIN = 60
# Of the uses that are recorded. Their keys are not text.
SHORTEST = "local s = 1e9; for _, key in ipairs(redis.call('KEYS', 'used:*')) do "
SHORTEST += "s = math.min(s, redis.call('TTL', key)) end; return s"
# The time limit of the example is a second, with a second attempt to connect.
BOUND = 3
REVOKED = "the token was revoked"
USED = "the token was used before, and can be used only once"


def token(sub="alice", age=10, **claims):
    now = int(time.time())
    claims = {
        "iss": "https://issuer.example", "aud": "https://api.example", "sub": sub, "jti": str(uuid.uuid4()),
        "iat": now - age, "exp": now + 3600, **claims,
    }  # fmt: skip
    parts = [{"alg": "HS256"}, {name: value for name, value in claims.items() if value is not None}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    mac = hmac.new(SECRET, b".".join(encoded), hashlib.sha256).digest()
    return b".".join([*encoded, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def ask(address, method, path, token, body=None):
    """The status and the headers."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


class Redis:
    """Debian's server, which keeps its data in a file."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self):
        settings = f"--bind 127.0.0.1 --port {self.port} --dir {self.folder} --save  --appendonly yes"
        settings += " --appendfsync always --maxmemory-policy noeviction"
        command = ["redis-server", *settings.split(" ")]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while self.run("PING") != "PONG":
            assert time.monotonic() < end and self.process.poll() is None, "redis-server does not start"
            time.sleep(0.05)

    def run(self, *command):
        cli = ["redis-cli", "-p", str(self.port), *command]
        return subprocess.run(cli, capture_output=True, text=True, errors="replace").stdout.strip()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Accepting(http.server.BaseHTTPRequestHandler):
    """Accepts everything."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_):
        pass


def refusal(address, credentials, path="/me", method="GET"):
    """The description of a 401, `None` for a success, or the status."""
    status, headers = ask(address, method, path, credentials)
    if status < 300:
        return None
    found = headers.get("www-authenticate", "").partition('error_description="')[2].partition('"')[0]
    return found if status == 401 else status


def deploy(address, credentials):
    return refusal(address, credentials, "/deploy", "POST")


def revocations(checks, one, other):
    """Each way to revoke, at one instance; returns a token that is refused."""
    admin = token("admin", scope="admin")

    def revoke(wanted=204, credentials=admin, **body):
        status, _ = ask(one, "POST", "/admin/revocations", credentials, body)
        checks.equal(status, wanted, f"revoke {body}")

    def refused_by_both(credentials, wanted, what):
        for address in (one, other):
            checks.equal(refusal(address, credentials), wanted, what)

    stolen, kept = token(jti="stolen"), token(jti="kept")
    refused_by_both(stolen, None, "a token before it is revoked")
    revoke(token="stolen")
    refused_by_both(stolen, REVOKED, "a revoked token")
    refused_by_both(kept, None, "another token of the subject")
    checks.equal(deploy(other, stolen), REVOKED, "a revoked token, once")

    revoke(subject="mallory")
    for age in (10, 0):
        refused_by_both(token("mallory", age), REVOKED, f"a token of a revoked subject, age {age}")
    refused_by_both(token("stolen"), None, "a subject that is named like a revoked token")

    now = int(time.time())
    revoke(subject_before=["carol", now - 50])
    for sub, age, wanted in (("carol", 60, REVOKED), ("carol", 40, None), ("dave", 60, None)):
        refused_by_both(token(sub, age), wanted, f"subject_before: {sub}, age {age}")
    for name, before in (("issuer_before", 1000), ("all_before", 900)):
        refused_by_both(token("carol", before - 40), REVOKED, f"{name}: of carol, as before")
        refused_by_both(token("dave", before + 60), None, f"{name}: not yet")
        revoke(**{name: now - before})
        refused_by_both(token("dave", before + 60), REVOKED, name)
        refused_by_both(token("dave", before - 60), None, f"{name}: issued later")

    mine = token("eve")
    checks.equal(ask(other, "POST", "/logout", mine)[0], 204, "logout")
    refused_by_both(mine, REVOKED, "a token after its logout")
    revoke(wanted=403, credentials=token("eve"), token="kept")
    refused_by_both(kept, None, "a token that eve may not revoke")
    refused_by_both(token(jti=None), "the token lacks a required claim", "a token without jti")
    return stolen


def merged(checks, one, other, redis):
    """A later command does not weaken an entry."""
    admin, now = token("admin", scope="admin"), int(time.time())
    name = "revoked:sub-before:22:https://issuer.example:frank"
    for before in (now - 50, now - 500):
        status, _ = ask(one, "POST", "/admin/revocations", admin, {"subject_before": ["frank", before]})
        checks.equal(status, 204, "revoke frank")
        checks.equal(redis.run("GET", name), str(now - 50), "the later time applies")
    for address in (one, other):
        checks.equal(refusal(address, token("frank", 60)), REVOKED, "a token that was revoked by the first command")
        checks.equal(refusal(address, token("frank", 40)), None, "a token that none revokes")
    redis.run("SET", name, str(now - 500), "EX", "100000")
    ask(one, "POST", "/admin/revocations", admin, {"subject_before": ["frank", now - 50]})
    checks.equal(redis.run("GET", name), str(now - 50), "a later time replaces an earlier one")
    checks.that(int(redis.run("TTL", name)) > 99000, "the later end applies")
    future = now + 1000
    ask(one, "POST", "/admin/revocations", admin, {"subject_before": ["grace", future]})
    left = int(redis.run("TTL", name.replace("frank", "grace")))
    checks.that(LIFETIME + 900 < left <= LIFETIME + 1000 + MARGIN + 1, "an entry about the future lasts longer", left)


def one_time_tokens(checks, one, other):
    """Returns a token that was used."""
    used = token()
    checks.equal(deploy(one, used), None, "the first use")
    for address in (one, other):
        checks.equal(deploy(address, used), USED, "a further use")
    checks.equal(refusal(one, used), None, "a route that does not count uses")
    with ThreadPoolExecutor(16) as pool:
        for _ in range(5):
            racing = token()
            answers = list(pool.map(lambda at: deploy((one, other)[at % 2], racing), range(16)))
            checks.equal(answers.count(None), 1, f"concurrent uses that pass: {answers}")
            checks.equal(answers.count(USED), 15, "concurrent uses that are refused")
    return used


def unavailable(checks, one, other, what):
    """Every request gets 503 within the bound, also many of them."""

    def timed(at):
        start = time.monotonic()
        method, path = (("GET", "/me"), ("POST", "/deploy"))[at % 2]
        status, headers = ask((one, other)[at // 2 % 2], method, path, token())
        return status, headers.get("retry-after"), time.monotonic() - start < BOUND

    with ThreadPoolExecutor(24) as pool:
        for answer in pool.map(timed, range(24)):
            checks.equal(answer, (503, "5", True), f"{what}: status, retry-after, in time")
    checks.equal(refusal(one, "a.b.c"), "the token is malformed", f"{what}: a bad token")


def recovered(checks, one, other, stolen, used, what):
    end = time.monotonic() + 10
    while refusal(one, token()) == 503 or refusal(other, token()) == 503:
        if not checks.that(time.monotonic() < end, f"{what}: still 503 after 10 s"):
            return
        time.sleep(0.1)
    for address in (one, other):
        checks.equal(refusal(address, stolen), REVOKED, f"{what}: the revoked token")
        checks.equal(deploy(address, used), USED, f"{what}: the used token")
        checks.equal(deploy(address, token()), None, f"{what}: a new token")


def main():
    checks, (program, folder) = Checks(), sys.argv[1:]
    redis = Redis(folder)
    redis.start()
    try:
        settings = {"LISTEN": "127.0.0.1:0", "REDIS_URL": f"redis://127.0.0.1:{redis.port}"}
        with Server([program], env=settings) as first, Server([program], env=settings) as second:
            one, other = first.addresses[0], second.addresses[0]
            stolen = revocations(checks, one, other)
            used = one_time_tokens(checks, one, other)
            keys = redis.run("KEYS", "*").splitlines()
            checks.that(len(keys) >= 8, "entries in Redis", keys)
            for key in keys:
                if key.startswith("revoked:"):
                    checks.that(0 < int(redis.run("TTL", key)) <= LIFETIME + MARGIN + 1, f"{key} ends", redis.run("TTL", key))
            # Longer than any verifier accepts a token of an hour.
            checks.that(3600 + 300 < int(redis.run("EVAL", SHORTEST, "0")), "what was used is remembered")
            merged(checks, one, other, redis)

            redis.process.send_signal(signal.SIGSTOP)
            unavailable(checks, one, other, "Redis hangs")
            redis.process.send_signal(signal.SIGCONT)
            recovered(checks, one, other, stolen, used, "Redis goes on")
            redis.stop()
            unavailable(checks, one, other, "Redis is stopped")
            redis.start()
            recovered(checks, one, other, stolen, used, "Redis is back")
    finally:
        redis.stop()

    accepting = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Accepting)
    threading.Thread(target=accepting.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{accepting.server_port}"
    for part in (revocations, one_time_tokens):
        noticed = Checks()
        part(noticed, address, address)
        checks.that(noticed.failures, f"{part.__name__} does not notice that everything is accepted")
    checks.end("revocation")


if __name__ == "__main__":
    main()
