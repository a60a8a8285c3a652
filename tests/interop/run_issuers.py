"""Asks examples/whoami with the tokens of running issuers, by discovery: run_issuers.py WHOAMI FOLDER

npm oidc-provider and Glewlwyd sign, rotate their keys, fall silent, talk nonsense, end and come back;
whoami must follow, and tell of it on /readyz. The last part holds the same runs against a server that
lets everybody in, where each must fail.
"""
import base64
import contextlib
import http.server
import json
import secrets
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import introspection
from harness import HTTP_2, Checks, Server, curl
from instances import free_port
from issuers import RESOURCE, Counting, Glewlwyd, OidcProvider, ask, hung
from run_whoami import LetsEverybodyIn, accepted, payload, refused

ALGORITHMS = {"rs": "RS256", "ps": "PS256", "es": "ES256", "ed": "EdDSA"}
ALL = [word for name in (*ALGORITHMS, "g") for word in ("--audience", f"{RESOURCE}/{name}")]
DISCOVERY = ["GET /.well-known/openid-configuration", "GET /jwks"]
# In how many seconds one stranger's `kid` may make the set be fetched.
COOL_DOWN = 10


def some(count):
    return isinstance(count, int) and count >= 1


def strange(token):
    """The token with a `kid` that nobody has."""
    header = payload(token, 0) | {"kid": f"strange-{secrets.token_hex(8)}"}
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return ".".join([encoded, *token.split(".")[1:]])


class Runs(introspection.IntrospectionRuns):
    # How long whoami may take to find keys that are there, and how long strangers are watched.
    patience, watch = 30, 15

    def __init__(self, whoami, folder):
        self.whoami, self.folder = whoami, folder
        self.checks = Checks()

    # -- asking whoami

    def start(self, *flags, grpc=False):
        command = [self.whoami, "--listen", "127.0.0.1:0", *ALL, *flags]
        if not grpc:
            return Server(command)
        return Server([*command, "--grpc-listen", "127.0.0.1:0"], ("listening on ", "grpc listening on "))

    def ask(self, server, token=None):
        headers = [f"Authorization: Bearer {token}"] if token else []
        return curl(server.addresses[0], *headers)

    def grpc_status(self, server, token=None):
        """What the health service, or the layer before it, says to a request without a message."""
        headers = ["content-type: application/grpc", "te: trailers"]
        headers += [f"Authorization: Bearer {token}"] if token else []
        head = self.folder / "head"
        head.write_text("")
        # With the trailers. With a message, curl takes a refusal that does not wait for it for an error.
        options = ["-X", "POST", "--dump-header", str(head)]
        curl(server.addresses[-1], *headers, path="/grpc.health.v1.Health/Check", version=HTTP_2, options=options)
        lines = (line.partition(":") for line in head.read_text().splitlines())
        return next((value.strip() for name, _, value in lines if name == "grpc-status"), None)

    def accepts(self, what, server, token):
        answer = self.ask(server, token)
        accepted(self.checks, what, answer, token)
        return (answer.json() or {}).get("claims") or {}

    def refuses(self, what, server, token):
        refused(self.checks, what, self.ask(server, token), 401, "invalid_token", token)

    def asks_for_one(self, what, server):
        refused(self.checks, f"{what}, no token", self.ask(server), 401, None)

    def has_no_keys(self, what, server, token):
        """503 and when to come again, before the caller's patience is over."""
        start = time.monotonic()
        answer = self.ask(server, token)
        self.checks.equal(answer.status, 503, f"{what}: status")
        after = answer.one("retry-after") or ""
        self.checks.that(after.isdigit() and 1 <= int(after) <= 60, f"{what}: Retry-After", after)
        self.checks.that(time.monotonic() - start < 8, f"{what}: within 8 s", time.monotonic() - start)

    def readyz(self, server):
        """The status of the probe, what it says of the one issuer or of all, and the whole."""
        answer = curl(server.addresses[0], path="/readyz")
        body = answer.json() or {}
        keys = body.get("keys") or [{}]
        return answer.status, keys[0], body

    def is_ready(self, what, server, **wanted):
        status, keys, body = self.readyz(server)
        self.checks.equal((status, body.get("ready"), keys.get("ready")), (200, True, True), f"{what}: ready")
        for name, value in wanted.items():
            seen = keys.get(name)
            holds = value(seen) if callable(value) else seen == value
            self.checks.that(holds, f"{what}: {name} of readyz", seen)

    def is_not_ready(self, what, server, *issuers, error=None):
        status, _, body = self.readyz(server)
        self.checks.equal((status, body.get("ready")), (503, False), f"{what}: not ready")
        self.checks.equal(body.get("waiting_for"), sorted(issuers), f"{what}: waiting for")
        if error:
            self.checks.that(error in json.dumps(body), f"{what}: says why", body)

    def was_asked(self, what, issuer, server, sets=1):
        """Once for its metadata, so often for its set (a number or a range); more often only where fetches
        failed, as they do on a machine that is too slow."""
        seen = issuer.requests()
        of_sets = seen.count(DISCOVERY[1])
        if not some(self.readyz(server)[1].get("fetches_failed")):
            self.checks.equal(seen.count(DISCOVERY[0]), 1, f"{what}: how often it was asked for metadata")
            wanted = sets if isinstance(sets, range) else range(sets, sets + 1)
            self.checks.that(of_sets in wanted, f"{what}: how often it was asked for its set", of_sets)
        self.checks.equal(set(seen), set(DISCOVERY[:2]), f"{what}: what the issuer was asked for")

    def until(self, what, holds, seconds=None):
        """Waits for that; how long it took counts."""
        end = time.monotonic() + (seconds or self.patience)
        while not holds():
            if time.monotonic() > end:
                return self.checks.that(False, f"{what}: not in {seconds or self.patience} s")
            time.sleep(0.2)
        return self.checks.that(True, what)

    def wait_for_cool_down(self, asked):
        """An unknown kid may be asked for again."""
        if self.patience > COOL_DOWN:
            time.sleep(max(0.0, asked + COOL_DOWN + 0.5 - time.monotonic()))

    def until_ready(self, what, server):
        self.until(f"{what}, ready", lambda: self.readyz(server)[0] == 200)

    def until_error(self, what, server):
        self.until(f"{what}, an error shows", lambda: self.readyz(server)[1].get("last_error"))

    def until_no_error(self, what, server):
        """It has fetched again, and well."""
        def is_well():
            status, keys, _ = self.readyz(server)
            return status == 200 and "last_error" in keys and keys["last_error"] is None
        self.until(f"{what}, no error any more", is_well)

    def stops(self, what, server):
        self.checks.equal(server.stop(), 0, f"{what}: SIGTERM: status within 10 s")

    @contextlib.contextmanager
    def discovering(self, issuer, *flags):
        """whoami, with the keys of this issuer."""
        with self.start("--issuer", issuer.name, "--discover", *flags) as server:
            self.until_ready("discovery", server)
            yield server

    # -- the runs

    def every_algorithm(self):
        with OidcProvider() as issuer, self.discovering(issuer, "--typ", "at+jwt") as server:
            tokens = {}
            for resource, alg in ALGORITHMS.items():
                token = tokens[resource] = issuer.token(resource)
                self.checks.equal(payload(token, 0)["alg"], alg, f"{resource}: signed by {alg}")
                claims = self.accepts(alg, server, token)
                wanted = (issuer.name, f"{RESOURCE}/{resource}", "svc", "read")
                seen = tuple(claims.get(name) for name in ("iss", "aud", "client_id", "scope"))
                self.checks.equal(seen, wanted, f"{alg}: the claims")
            self.asks_for_one("all algorithms", server)
            self.refuses("wrong audience", server, issuer.token("other"))
            head, body, signature = tokens["es"].split(".")
            spoiled = signature[:20] + ("A" if signature[20] != "A" else "B") + signature[21:]
            self.refuses("spoiled signature", server, f"{head}.{body}.{spoiled}")
            self.refuses("another's signature", server, ".".join([head, *tokens["ed"].split(".")[1:]]))
            kids = [payload(tokens[resource], 0)["kid"] for resource in ("rs", "es", "ed")]
            self.is_ready(
                "all algorithms", server, issuer=issuer.name, generation=1, kids=kids, skipped=[], stale=False,
                age=lambda age: age in range(60), next_refresh=some,
                fetches_ok=1, last_error=None,
            )
            self.was_asked("all algorithms", issuer, server)
            self.stops("all algorithms", server)

    def rotation(self):
        with OidcProvider() as issuer, self.discovering(issuer) as server:
            first = issuer.token("es")
            self.accepts("first key", server, first)

            # The first fetch has not used up the one that an unknown kid may ask for.
            issuer.rotate()
            second = issuer.token("es")
            self.accepts("second key, at once", server, second)
            asked = time.monotonic()
            self.accepts("first key, still published", server, first)
            self.is_ready("rotated", server, generation=2, fetches_ok=2, last_error=None)
            # Two more fetches are in the bucket, and one comes back every ten seconds.
            for _ in range(6):
                self.refuses("an unknown kid", server, strange(first))
            self.was_asked("rotated", issuer, server, sets=range(4, 6))

            self.wait_for_cool_down(asked)
            issuer.rotate(drop=True)
            third = issuer.token("rs")
            self.accepts("second key, before the drop shows", server, second)
            self.accepts("third key, at once", server, third)
            self.refuses("first key, dropped", server, first)
            self.refuses("second key, dropped", server, second)
            self.is_ready("dropped", server, generation=3, fetches_ok=lambda n: n in range(5, 8), last_error=None)
            self.was_asked("dropped", issuer, server, sets=range(5, 8))

    def broken_set(self, mode):
        what = f"set answers {mode}"
        with OidcProvider() as issuer, self.discovering(issuer) as server:
            known = issuer.token("ed")
            issuer.key_set(mode)
            issuer.rotate()
            new = issuer.token("ed")
            with ThreadPoolExecutor() as pool:
                # A fetch that hangs keeps nobody else waiting.
                waiting = pool.submit(self.has_no_keys, f"{what}, new key", server, new)
                for _ in range(3):
                    start = time.monotonic()
                    self.accepts(f"{what}, known key", server, known)
                    self.checks.that(time.monotonic() - start < 3, f"{what}, known key: at once")
                waiting.result()
            self.until_error(what, server)
            self.has_no_keys(f"{what}, stranger's kid in the cool-down", server, strange(known))
            self.accepts(f"{what}, known key afterwards", server, known)
            self.is_ready(what, server, generation=1, fetches_failed=some)
            issuer.key_set("ok")
            self.until_no_error(what, server)
            self.accepts(f"{what}, then mended: new key", server, new)
            self.is_ready(f"{what}, then mended", server, generation=2, last_error=None)

    def broken_sets(self):
        for mode in ("500", "garbage", "hang"):
            self.broken_set(mode)

    def outage(self):
        with OidcProvider() as issuer, self.discovering(issuer) as server:
            known = issuer.token("ps")
            self.accepts("before the outage", server, known)
            issuer.kill()
            self.accepts("outage, known key", server, known)
            self.has_no_keys("outage, stranger's kid", server, strange(known))
            self.until_error("outage", server)
            self.has_no_keys("outage, stranger's kid in the cool-down", server, strange(known))
            self.accepts("outage, known key again", server, known)
            says_why = lambda error: "cannot be fetched" in (error or "")
            self.is_ready("outage", server, last_error=says_why, fetches_failed=some)

            issuer.start()
            self.until_no_error("return", server)
            self.accepts("return, new key", server, issuer.token("ps"))
            self.refuses("return, the key from before", server, known)
            self.is_ready("return", server, generation=2, last_error=None)

    def restart_while_down(self):
        """With a file, whoami accepts the known keys after a restart, and follows the issuer when it is back."""
        file = self.folder / "issuer-keys"
        file.unlink(missing_ok=True)
        with OidcProvider() as issuer:
            flags = ["--issuer", issuer.name, "--discover", "--key-file", str(file)]
            with self.start(*flags) as server:
                self.until_ready("before the restart", server)
                known = issuer.token()
                self.accepts("before the restart", server, known)
                self.is_ready("before the restart", server, unconfirmed=False)
                self.until("before the restart: a file", file.exists)
                if file.exists():
                    self.checks.equal(file.stat().st_mode & 0o777, 0o600, "before the restart: mode of the file")
                self.stops("before the restart", server)
            issuer.kill()
            with self.start(*flags) as server:
                self.accepts("restart while down", server, known)
                self.has_no_keys("restart while down, stranger's kid", server, strange(known))
                self.is_ready("restart while down", server, unconfirmed=True, stale=True, generation=0)
                issuer.start()
                self.until_no_error("issuer is back", server)
                self.accepts("issuer is back, new key", server, issuer.token())
                self.refuses("issuer is back, the key from before", server, known)
                self.is_ready("issuer is back", server, unconfirmed=False, generation=1)
                self.stops("issuer is back", server)
            # The keys of the first process are older than those in the file.
            issuer.kill()
            with self.start(*flags) as server:
                self.has_no_keys("second restart, the first key", server, known)
            # A damaged file is as none.
            file.write_text(file.read_text()[:-5] if file.exists() else "")
            with self.start(*flags) as server:
                self.has_no_keys("damaged file", server, known)
                self.is_not_ready("damaged file", server, issuer.name, error="cannot be fetched")

    def started_first(self):
        issuer = OidcProvider()
        with OidcProvider(name=issuer.name) as stand_in:
            early = stand_in.token()
        with self.start("--issuer", issuer.name, "--discover", grpc=True) as server:
            self.asks_for_one("nobody there", server)
            self.has_no_keys("nobody there", server, early)
            self.checks.equal(self.grpc_status(server, early), "14", "nobody there: gRPC says unavailable")
            self.checks.equal(self.grpc_status(server), "16", "nobody there: gRPC asks for a token")
            self.is_not_ready("nobody there", server, issuer.name, error="cannot be fetched")
            with issuer:
                self.until_ready("issuer appears", server)
                token = issuer.token()
                self.accepts("issuer appears", server, token)
                # The service misses its message: it was let in.
                self.checks.equal(self.grpc_status(server, token), "13", "issuer appears: gRPC")
                self.refuses("issuer appears, another's key", server, early)
                self.is_ready("issuer appears", server, generation=1, last_error=None)

    def another_issuer(self):
        """The metadata are those of somebody else."""
        port = free_port()
        here = f"http://127.0.0.1:{port}"
        with OidcProvider(name="http://127.0.0.1:9", port=port) as issuer:
            with self.start("--issuer", here, "--discover") as server:
                self.has_no_keys("another issuer", server, issuer.token())
                self.asks_for_one("another issuer", server)
                self.is_not_ready("another issuer", server, here, error="belong to another issuer")
                self.checks.equal(set(issuer.requests()), {DISCOVERY[0]}, "another issuer: what was asked for")

    def hung_issuer(self):
        with OidcProvider() as issuer, hung() as name:
            token = issuer.token()
            with self.start("--issuer", name, "--discover") as server:
                self.has_no_keys("hung issuer", server, token)
                start = time.monotonic()
                self.asks_for_one("hung issuer", server)
                self.is_not_ready("hung issuer", server, name)
                self.checks.that(time.monotonic() - start < 3, "hung issuer: these do not wait")
                with ThreadPoolExecutor() as pool:
                    waiting = pool.submit(self.ask, server, token)
                    time.sleep(0.5)
                    start = time.monotonic()
                    self.stops("hung issuer", server)
                    self.checks.that(time.monotonic() - start < 10, "hung issuer: SIGTERM within 10 s")
                    waiting.result()

    def strangers(self):
        """At most 40 requests in 15 s, whatever strangers send, to places that the issuer chose."""
        with contextlib.ExitStack() as stack, OidcProvider() as issuer:
            token = issuer.token()
            cases = []
            for what, status in (("a good issuer", 200), ("no metadata", 404), ("a broken issuer", 500)):
                counting = stack.enter_context(Counting.start(status))
                server = stack.enter_context(self.start("--issuer", counting.name, "--discover"))
                cases.append((what, status, counting, server))
            with ThreadPoolExecutor() as pool:
                floods = [pool.submit(self.flood, server, token) for *_, server in cases]
                counts = [flood.result() for flood in floods]
            for (what, status, counting, server), seen in zip(cases, counts):
                expected = {401} if status == 200 else {503}
                self.checks.equal(set(seen), expected, f"{what}, strangers")
                self.checks.that(len(seen) >= 20, f"{what}: strangers", len(seen))
                requests = list(counting.requests)
                self.checks.that(1 <= len(requests) <= 40, f"{what}: at most 40 requests", len(requests))
                places = {"GET /.well-known/openid-configuration", "GET /.well-known/oauth-authorization-server"}
                allowed = {DISCOVERY[0], "GET /keys"} if status == 200 else places
                self.checks.that(set(requests) <= allowed, f"{what}: what the issuer was asked for", requests)

    def flood(self, server, token):
        """The statuses that strangers get, eight of them at a time."""
        end = time.monotonic() + self.watch

        def stranger():
            seen = []
            while time.monotonic() < end:
                seen.append(self.ask(server, strange(token)).status)
            return seen

        with ThreadPoolExecutor(8) as pool:
            return [status for each in [pool.submit(stranger) for _ in range(8)] for status in each.result()]

    def glewlwyd(self):
        with Glewlwyd(self.folder) as issuer, self.discovering(issuer, "--typ", "at+jwt") as server:
            before, asked = [issuer.token()], 0.0
            self.glewlwyd_token(issuer, server, "RS256", before[0])
            for alg in ("RS256", "ES256", "EdDSA"):
                self.wait_for_cool_down(asked)
                issuer.rotate(alg)
                token = issuer.token()
                self.glewlwyd_token(issuer, server, alg, token)
                asked = time.monotonic()
                for old in before:
                    self.accepts(f"Glewlwyd, before {alg}", server, old)
                before.append(token)
                self.refuses("Glewlwyd, stranger's kid", server, strange(token))
            self.is_ready("Glewlwyd", server, generation=4, last_error=None)
            self.refuses("Glewlwyd, for somebody else", server, self.for_somebody_else(issuer))

    def glewlwyd_token(self, issuer, server, alg, token):
        self.checks.equal(payload(token, 0)["alg"], alg, f"Glewlwyd signs by {alg}")
        claims = self.accepts(f"Glewlwyd, {alg}", server, token)
        seen = tuple(claims.get(name) for name in ("iss", "aud", "client_id", "scope"))
        self.checks.equal(seen, (issuer.name, f"{RESOURCE}/g", "svc", "read"), f"Glewlwyd, {alg}: the claims")

    def for_somebody_else(self, issuer):
        """Glewlwyd names the scope as the audience where nobody asked for a resource."""
        form = {"grant_type": "client_credentials", "scope": "read"}
        return json.loads(ask(f"{issuer.name}/token", form, basic="svc:svc-secret"))["access_token"]

    def two_issuers(self):
        with OidcProvider() as a, Glewlwyd(self.folder) as b, OidcProvider() as third:
            flags = ["--issuer", a.name, "--issuer", b.name, "--discover"]
            with self.start(*flags) as server:
                self.until_ready("two issuers", server)
                a_token, b_token = a.token("es"), b.token()
                self.accepts("two issuers, the first", server, a_token)
                self.accepts("two issuers, the second", server, b_token)
                self.refuses("two issuers, a third", server, third.token("es"))
                self.refuses("two issuers, the first for another audience", server, a.token("other"))
                self.asks_for_one("two issuers", server)
                self.checks.equal(set(a.requests()), set(DISCOVERY), "two issuers: what the first was asked for")
                self.checks.equal(third.requests(), [], "two issuers: what the third was asked for")
                keys = self.readyz(server)[2].get("keys") or []
                seen = sorted((of.get("issuer"), of.get("generation")) for of in keys)
                self.checks.equal(seen, sorted([(a.name, 1), (b.name, 1)]), "two issuers: readyz")

                a.kill()
                self.has_no_keys("the first is down, stranger's kid", server, strange(a_token))
                self.accepts("the first is down, its known key", server, a_token)
                b.rotate("ES256")
                self.accepts("the first is down, a new key of the second", server, b.token())
                self.refuses("the first is down, a stranger's kid of the second", server, strange(b_token))
                errors = {of.get("issuer"): of.get("last_error") for of in self.readyz(server)[2].get("keys") or []}
                self.checks.that(errors.get(a.name), "the first is down: an error", errors)
                self.checks.that(errors.get(b.name, "") is None, "the first is down: none of the second", errors)

            # Started while the first is down.
            with self.start(*flags) as server:
                self.until("the second alone", lambda: self.ask(server, b_token).status == 200)
                self.has_no_keys("the second alone, a token of the first", server, a_token)
                self.is_not_ready("the second alone", server, a.name)
                a.start()
                self.until_ready("the first is back", server)
                self.accepts("the first is back", server, a.token("rs"))

    def by_url(self):
        with OidcProvider() as issuer, OidcProvider() as other:
            flags = ["--issuer", issuer.name, "--jwks-url", f"{issuer.address}/jwks"]
            with self.start(*flags) as server:
                self.until_ready("by URL", server)
                old = issuer.token("rs")
                self.accepts("by URL", server, old)
                self.refuses("by URL, another issuer", server, other.token("rs"))
                self.asks_for_one("by URL", server)
                self.checks.equal(set(issuer.requests()), {"GET /jwks"}, "by URL: what the issuer was asked for")
            # Anew, since that one has asked for a stranger's kid already.
            with self.start(*flags) as server:
                self.until_ready("by URL, anew", server)
                issuer.rotate(drop=True)
                self.accepts("by URL, a new key", server, issuer.token("ed"))
                self.refuses("by URL, a dropped key", server, old)
                self.is_ready("by URL", server, generation=2, issuer=issuer.name, last_error=None)
            wrong = ["--dangerous-any-issuer", "--jwks-url", f"{issuer.address}/nowhere"]
            with self.start(*wrong) as server:
                self.has_no_keys("by a wrong URL", server, old)
                self.is_not_ready("by a wrong URL", server, None, error="404")
                self.checks.that("GET /nowhere" in issuer.requests(), "by a wrong URL: asked there")

    NAMES = [
        "every_algorithm", "rotation", "broken_sets", "outage", "restart_while_down", "started_first", "another_issuer",
        "hung_issuer", "strangers", "glewlwyd", "two_issuers", "by_url", "introspection", "introspection_by_glewlwyd",
    ]

    def all(self):
        """The failures of each run."""
        failures = {}
        for name in self.NAMES:
            passed, failed, start = self.checks.passed, len(self.checks.failures), time.monotonic()
            try:
                getattr(self, name)()
            except Exception as error:
                self.checks.that(False, f"{name} could not go on", f"{type(error).__name__}: {error}")
            failures[name] = self.checks.failures[failed:]
            seconds = time.monotonic() - start
            print(f"{name}: {self.checks.passed - passed} checks passed ({seconds:.0f} s)", flush=True)
        return failures


class OpenServer:
    """Stands in for whoami, and lets everybody in."""

    def __init__(self, address):
        self.addresses = [address]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def stop(self):
        return 0


class OpenRuns(Runs):
    """The runs against a server without the layer. It asks no issuer, so that nothing is waited for."""

    patience, watch = 0.3, 0.5

    def __init__(self, folder, address):
        super().__init__(None, folder)
        self.address = address

    def start(self, *flags, grpc=False):
        return OpenServer(self.address)


# What a server that lets everybody in must be caught at.
CAUGHT = {
    "every_algorithm": ["wrong audience: status", "spoiled signature: status", "all algorithms, no token: status"],
    "rotation": ["an unknown kid: status", "first key, dropped: status"],
    "broken_sets": [f"set answers {mode}, new key: status" for mode in ("500", "garbage", "hang")],
    "outage": ["outage, stranger's kid: status", "return, the key from before: status"],
    "restart_while_down": [
        "restart while down, stranger's kid: status", "issuer is back, the key from before: status",
        "second restart, the first key: status", "damaged file: status",
    ],
    "started_first": ["nobody there: status", "nobody there: not ready", "issuer appears, another's key: status"],
    "another_issuer": ["another issuer: status", "another issuer: not ready"],
    "hung_issuer": ["hung issuer: status", "hung issuer: not ready", "hung issuer, no token: status"],
    "strangers": ["a good issuer, strangers", "no metadata, strangers", "a broken issuer, strangers"],
    "glewlwyd": ["Glewlwyd, stranger's kid: status", "Glewlwyd, for somebody else: status"],
    "two_issuers": ["two issuers, a third: status", "the second alone, a token of the first: status"],
    "by_url": ["by URL, another issuer: status", "by URL, a dropped key: status", "by a wrong URL: status"],
    **introspection.CAUGHT,
}


def negative_control(checks, folder):
    """The same runs against a server that lets everybody in: each must fail."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), LetsEverybodyIn) as open_server:
        threading.Thread(target=open_server.serve_forever, daemon=True).start()
        failures = OpenRuns(folder, "127.0.0.1:%d" % open_server.server_port).all()
        open_server.shutdown()
    for name, wanted in CAUGHT.items():
        for start in wanted:
            caught = any(failure.startswith(start) for failure in failures[name])
            checks.that(caught, f"negative control, {name}: {start}", failures[name])
        broken_off = [failure for failure in failures[name] if "could not go on" in failure]
        checks.equal(broken_off, [], f"negative control, {name}")
    checks.equal(sorted(CAUGHT), sorted(Runs.NAMES), "negative control: every run")


def main():
    runs = Runs(str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve())
    runs.NAMES = sys.argv[3:] or Runs.NAMES
    runs.all()
    if runs.NAMES is Runs.NAMES:
        print("against a server that lets everybody in:")
        negative_control(runs.checks, runs.folder)
    runs.checks.end("the issuers")


if __name__ == "__main__":
    main()
