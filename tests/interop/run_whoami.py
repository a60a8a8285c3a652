"""Asks examples/whoami with the tokens of mint.py and mint.mjs: run_whoami.py WHOAMI FOLDER

Every answer is compared with what tokens.json expects of it, over HTTP/1.1, h2c and gRPC, and every flag
of the program is tried, the bad ones too. The last part holds the same checks against servers that let
everybody in, where they must fail.
"""
import base64
import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import jwt as pyjwt
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import grpc_client
from harness import HTTP_1, HTTP_2, Checks, Server, curl

REALM = "realm="
# The line with what is accepted, on standard error.
ACCEPTS = "accepts: "


def payload(token, part=1):
    segment = token.split(".")[part]
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def accepted(checks, what, answer, token):
    if not checks.equal(answer.status, 200, f"{what}: status"):
        return
    body = answer.json() or {}
    checks.equal(body.get("claims"), payload(token), f"{what}: claims")
    header = payload(token, 0)
    seen = body.get("header") or {}
    checks.equal(seen.get("alg"), header["alg"], f"{what}: header alg")
    checks.equal(seen.get("kid"), header.get("kid"), f"{what}: header kid")


def refused(checks, what, answer, status, error, token=None, expired=None):
    """A refusal with its challenge; `error` is None where there must be none."""
    if not checks.equal(answer.status, status, f"{what}: status"):
        return
    challenge = answer.one("www-authenticate") or ""
    checks.that(challenge.startswith("Bearer ") and REALM in challenge, f"{what}: challenge", challenge)
    if error:
        checks.that(f'error="{error}"' in challenge, f"{what}: error {error}", challenge)
    else:
        checks.that("error" not in challenge, f"{what}: no error", challenge)
    if expired is not None:
        checks.equal("expired" in challenge, expired, f"{what}: says expired ({challenge})")
    checks.equal(answer.one("cache-control"), "no-store", f"{what}: cache-control")
    if token:
        parts = [part for part in token.split(".") if len(part) > 8]
        shown = f"{answer.headers} {answer.body}"
        checks.that(not any(part in shown for part in parts), f"{what}: the token is not echoed", shown)


def ask_with_every_token(checks, tokens, address, versions=(HTTP_1, HTTP_2)):
    for version in versions:
        for item in tokens:
            what = f'{item["name"]} ({item["by"]}, {version})'
            token = item["token"]
            answer = curl(address, f"Authorization: Bearer {token}", version=version)
            if item["expect"] == 200:
                accepted(checks, what, answer, token)
            else:
                refused(checks, what, answer, 401, "invalid_token", token, item["expired"])
            wanted = "HTTP/2" if version == HTTP_2 else "HTTP/1.1"
            checks.equal(answer.version, wanted, f"{what}: version")


def ask_without_a_good_token(checks, good, address):
    """What needs no key to be refused, and the forms of a good request."""
    for version in (HTTP_1, HTTP_2):
        def ask(*headers, **more):
            return curl(address, *headers, version=version, **more)

        bearer = f"Authorization: Bearer {good}"
        refused(checks, f"no token {version}", ask(), 401, None)
        refused(checks, f"basic {version}", ask("Authorization: Basic Og=="), 401, None)
        refused(checks, f"two {version}", ask(bearer, bearer), 400, "invalid_request")
        refused(checks, f"two schemes {version}", ask(bearer, "Authorization: Basic Og=="), 400, "invalid_request")
        refused(checks, f"empty {version}", ask("Authorization: Bearer"), 400, "invalid_request")
        refused(checks, f"percent {version}", ask("Authorization: Bearer a%20b"), 400, "invalid_request")
        refused(checks, f"in the query {version}", ask(path=f"/?access_token={good}"), 401, None)
        preflight = ("Origin: https://app.example", "Access-Control-Request-Method: GET")
        refused(checks, f"preflight {version}", ask(*preflight, options=["-X", "OPTIONS"]), 401, None)
        web = ask("Content-Type: application/grpc-web", options=["-X", "POST"])
        checks.equal((web.status, web.one("grpc-status")), (200, "16"), f"gRPC-Web {version}")
        for path in ("/", "/any/path?x=1"):
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
                answer = ask(bearer, path=path, options=["-X", method])
                accepted(checks, f"{method} {path} {version}", answer, good)
        accepted(checks, f"lower case {version}", ask(f"authorization: bearer {good}"), good)
        accepted(checks, f"two spaces {version}", ask(f"Authorization: Bearer  {good}"), good)
        checks.equal(ask(path="/readyz").status, 200, f"readyz {version}")


class Runs:
    def __init__(self, whoami, folder):
        self.whoami, self.folder = whoami, folder
        self.checks = Checks()
        self.tokens = json.loads((folder / "tokens.json").read_text())
        self.issuer, self.audience = self.tokens[0]["issuer"], self.tokens[0]["audience"]
        self.hmac = [item for item in self.tokens if item["kid"] in ("HS256", "HS384", "HS512")]
        self.public = [item for item in self.tokens if item not in self.hmac]
        self.good = self.named("ES256 by ES256")

    def named(self, name, by="pyjwt"):
        return next(t["token"] for t in self.tokens if t["name"] == name and t["by"] == by)

    def file(self, name):
        return str(self.folder / name)

    def start(self, *flags, issuer=True, grpc=False):
        command = [self.whoami, "--listen", "127.0.0.1:0", *flags]
        if issuer:
            command += ["--issuer", self.issuer, "--audience", self.audience]
        if not grpc:
            return Server(command)
        lines = ("listening on ", "grpc listening on ")
        return Server([*command, "--grpc-listen", "127.0.0.1:0"], lines)

    def expect(self, what, server, token, status, expired=None):
        answer = curl(server.addresses[0], f"Authorization: Bearer {token}")
        if status == 200:
            accepted(self.checks, what, answer, token)
        else:
            refused(self.checks, what, answer, status, "invalid_token", token, expired)

    # -- the runs

    def every_token(self):
        with self.start("--jwks", self.file("keys.jwks.json"), grpc=True) as server:
            http, grpc = server.addresses
            ask_with_every_token(self.checks, self.public, http)
            ask_with_every_token(self.checks, self.public[:8], grpc)
            ask_without_a_good_token(self.checks, self.good, http)
            ask_without_a_good_token(self.checks, self.good, grpc)
            grpc_client.check(self.checks, grpc, self.good, self.named("expired, ES256"))
            self.checks.equal(server.stop(), 0, "SIGTERM: status")
        with self.start("--jwks", self.file("hmac.jwks.json")) as server:
            ask_with_every_token(self.checks, self.hmac, server.addresses[0])
            self.checks.equal(server.stop(signal.SIGINT), 0, "Ctrl-C: status")

    def secret_file(self):
        for alg in ("HS256", "HS384", "HS512"):
            with self.start("--secret-file", self.file("secret.bin"), "--algorithm", alg) as server:
                for item in self.hmac:
                    status = 200 if item["alg"] == alg else 401
                    self.expect(f'secret for {alg}, {item["name"]} by {item["by"]}', server, item["token"], status)
                server.stop()
                # The line break at its end is part of the secret, and may not have been meant.
                told = [line for line in server.errors.splitlines() if not line.startswith(ACCEPTS)]
                self.checks.that(len(told) == 1 and "line break" in told[0], f"secret for {alg}: a warning", told)
        (self.folder / "plain.secret").write_text("an example of a secret: 32 octets")
        with self.start("--secret-file", self.file("plain.secret"), "--algorithm", "HS256") as server:
            server.stop()
            told = server.errors.splitlines()
            self.checks.that(len(told) == 1 and told[0].startswith(ACCEPTS), "a secret without a line break: no warning", told)
            self.checks.that("an example of" not in server.errors, "the secret is not shown", server.errors)

    def public_keys(self):
        keys = sorted({(t["kid"], t["alg"]) for t in self.public if t["expect"] == 200})
        for kid, alg in keys:
            flags = ["--public-key", self.file(f"{kid}.pem"), "--algorithm", alg]
            other = "RS256" if kid != "RS256" else "PS256"
            with self.start(*flags) as server:
                for item in self.public:
                    if item["kid"] == kid and item["alg"] == alg:
                        what = f'PEM {kid} for {alg}, {item["name"]} by {item["by"]}'
                        self.expect(what, server, item["token"], item["expect"], item["expired"])
                self.expect(f"PEM {kid} for {alg}, other key", server, self.named(f"{other} by {other}"), 401)
        both = ["--algorithm", "RS256", "--algorithm", "PS256"]
        with self.start("--public-key", self.file("rsa-any.pem"), *both) as server:
            for alg, status in (("RS256", 200), ("PS256", 200), ("RS512", 401)):
                self.expect(f"PEM for two, {alg}", server, self.named(f"{alg} by rsa-any"), status)

    def narrowed(self):
        with self.start("--jwks", self.file("keys.jwks.json"), "--algorithm", "ES256") as server:
            self.expect("allowed", server, self.good, 200)
            self.expect("not allowed", server, self.named("RS256 by RS256"), 401)
            self.expect("not allowed of several", server, self.named("PS256 by rsa-any"), 401)
        with self.start("--jwks", self.file("hmac.jwks.json"), "--algorithm", "RS256") as server:
            self.expect("no key can", server, self.named("HS256 by HS256"), 401)

    def any_issuer(self):
        keys = ["--jwks", self.file("keys.jwks.json")]
        for flag, name in (("issuer", "no issuer"), ("issuer", "wrong issuer"), ("audience", "no audience"), ("audience", "wrong audience")):
            token = self.named(f"{name}, ES256")
            given = ["--audience", self.audience] if flag == "issuer" else ["--issuer", self.issuer]
            with self.start(*keys, f"--dangerous-any-{flag}", *given, issuer=False) as server:
                self.expect(f"any {flag}, {name}", server, token, 200)
                self.expect(f"any {flag}, expired", server, self.named("expired, ES256"), 401, True)
        with self.start(*keys, "--audience", "https://more.example") as server:
            self.expect("one of two audiences", server, self.good, 200)

    def clock(self):
        clock = json.loads((self.folder / "clock.json").read_text())
        keys, start, token = ["--jwks", self.file("keys.jwks.json")], clock["start"], clock["plain"]
        for leeway in (None, 0, 300):
            flags = [] if leeway is None else ["--leeway", str(leeway)]
            room = 30 if leeway is None else leeway
            bounds = [(start - room - 1, 401), (start - room, 200), (start + 599 + room, 200), (start + 600 + room, 401)]
            for now, status in bounds:
                with self.start(*keys, *flags, "--clock", str(now)) as server:
                    expired = now > start if status == 401 else None
                    self.expect(f"leeway {leeway}, second {now - start}", server, token, status, expired)
        with self.start(*keys, "--clock", str(start), "--typ", "at+jwt") as server:
            for item in clock["rfc9068"]:
                self.expect(f'at+jwt, {item["name"]}', server, item["token"], item["expect"])

    def allowed(self):
        keys = ["--jwks", self.file("keys.jwks.json")]
        with self.start(*keys, "--allow-at-hash") as server:
            self.expect("a hash is allowed", server, self.named("an ID token, ES256"), 200)
            self.expect("an event is not", server, self.named("an event token, ES256"), 401)
        with self.start(*keys, "--max-token-length", "128") as server:
            self.expect("a token over the limit", server, self.good, 401)

    def token_types(self):
        tokens = {item["typ"]: item["token"] for item in json.loads((self.folder / "types.json").read_text())}
        keys = ["--jwks", self.file("keys.jwks.json")]
        access, transactions = {"at+jwt", "JWT", None}, {"txntoken+jwt", "application/txntoken+jwt"}
        one, two = ["--token-type", "txntoken+jwt"], ["--token-type", "wit+jwt"]
        for flags, good in (([], access), (one, transactions), (one + two, transactions | {"wit+jwt"})):
            with self.start(*keys, *flags) as server:
                for typ, token in tokens.items():
                    what = f'{" ".join(flags)}, typ {typ}'
                    self.expect(what, server, token, 200 if typ in good else 401)

    def optional(self):
        with self.start("--jwks", self.file("keys.jwks.json"), "--optional") as server:
            address = server.addresses[0]
            for what, headers in (("no token", ()), ("basic", ("Authorization: Basic Og==",))):
                answer = curl(address, *headers)
                self.checks.equal(answer.status, 200, f"optional, {what}")
                body = answer.json() or {}
                self.checks.that("claims" in body and body["claims"] is None, f"optional, {what}: claims", body)
            self.expect("optional, good", server, self.good, 200)
            self.expect("optional, expired", server, self.named("expired, ES256"), 401, True)
            two = [f"Authorization: Bearer {self.good}"] * 2
            refused(self.checks, "optional, two", curl(address, *two), 400, "invalid_request")

    def resource(self):
        keys = ["--jwks", self.file("keys.jwks.json")]
        resource, path = "http://127.0.0.1:8000/mcp", "/.well-known/oauth-protected-resource/mcp"
        url = f"http://127.0.0.1:8000{path}"
        scope = ["--scope", "mcp:read", "--scope", "mcp:list"]
        for more, scopes in (([], None), (["--optional"], None), (scope, ["mcp:read", "mcp:list"])):
            wanted = {"resource": resource, "authorization_servers": [self.issuer], "bearer_methods_supported": ["header"]}
            if scopes:
                wanted["scopes_supported"] = scopes
            with self.start(*keys, "--resource", resource, *more, grpc=True) as server:
                for address in server.addresses:
                    for version in (HTTP_1, HTTP_2):
                        what = f"resource {more} {version}"
                        answer = curl(address, "Host: evil.example", "X-Forwarded-Host: evil.example", path=path, version=version)
                        self.checks.equal((answer.status, answer.json()), (200, wanted), what)
                        self.checks.equal(answer.one("content-type"), "application/json", f"{what}: type")
                        self.checks.equal(answer.one("access-control-allow-origin"), "*", f"{what}: CORS")
                        answer = curl(address, path=path, version=version, options=["-X", "POST"])
                        self.checks.equal((answer.status, answer.one("allow")), (405, "GET, HEAD, OPTIONS"), f"{what}: POST")
                        answer = curl(address, "Authorization: Bearer abc", "Host: evil.example", version=version)
                        refused(self.checks, what, answer, 401, "invalid_token")
                        challenge = answer.one("www-authenticate") or ""
                        self.checks.that(f'resource_metadata="{url}"' in challenge, f"{what}: challenge", challenge)
                found = subprocess.run(
                    ["node", "resource.mjs", server.addresses[0], resource],
                    cwd=Path(__file__).parent, capture_output=True, text=True,
                )
                self.checks.equal((found.returncode, found.stdout.strip()), (0, self.issuer), f"oauth4webapi {more}: {found.stderr}")

    def token_cache(self):
        """Every token twice: the cache decides about the second one."""
        with self.start("--jwks", self.file("keys.jwks.json"), "--token-cache", "10", grpc=True) as server:
            for address in server.addresses:
                for _ in range(2):
                    ask_with_every_token(self.checks, [t for t in self.public for _ in range(2)], address, (HTTP_2,))
                ask_without_a_good_token(self.checks, self.good, address)
        clock = json.loads((self.folder / "clock.json").read_text())
        small = ["--token-cache", "1", "--clock", str(clock["start"])]
        with self.start("--jwks", self.file("keys.jwks.json"), *small) as server:
            for _ in range(2):
                self.expect("small cache", server, clock["plain"], 200)

    def explain(self):
        flags = ["--jwks", self.file("keys.jwks.json"), "--issuer", self.issuer, "--audience", self.audience]
        cases = [("good", self.good, 0, "accepted")]
        cases += [(name, self.named(f"{name}, ES256"), 1, f"FAILED {step} ") for name, step in (
            ("wrong issuer", "issuer"), ("wrong audience", "audience"), ("expired", "exp"))]
        cases += [("no JWT", "opaque", 1, "FAILED shape "), ("nothing", "", 1, "FAILED shape ")]
        for what, token, status, line in cases:
            run = subprocess.run([self.whoami, "explain", *flags], input=f"{token}\n".encode(), capture_output=True, timeout=10)
            text = run.stdout.decode()
            self.checks.equal(run.returncode, status, f"explain, {what}: exit status ({run.stderr.decode()})")
            lines = [" ".join(one.split()) + " " for one in text.splitlines()]
            self.checks.that(any(one.startswith(line) for one in lines), f"explain, {what}: {line}", text)
            parts = [part for part in token.split(".") if len(part) > 20]
            self.checks.that(not any(part in text for part in parts), f"explain, {what}: shows no token", text)
        run = subprocess.run([self.whoami, *flags[2:], "explain"], input=b"x", capture_output=True, timeout=10)
        self.checks.equal(run.returncode, 2, "explain, no keys: exit status")
        run = subprocess.run([self.whoami, "explain", *flags, "--header", "cookie"], input=b"x", capture_output=True, timeout=10)
        self.checks.equal(run.returncode, 2, "explain, a source that cannot be used: exit status")

    def scopes(self):
        keys, scopes = ["--jwks", self.file("scopes.jwks.json")], ["--scope", "read", "--scope", "write"]
        secret = b"an example of a secret: 32 octets"
        key = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
        jwk = {"kty": "oct", "kid": "scopes", "alg": "HS256", "k": key}
        (self.folder / "scopes.jwks.json").write_text(json.dumps({"keys": [jwk]}))

        def token(exp=4102444800, **claims):
            claims = {"iss": self.issuer, "aud": self.audience, "sub": "alice", "exp": exp, **claims}
            return pyjwt.encode(claims, secret, "HS256", {"kid": "scopes"})

        def missing(what, answer, scope):
            refused(self.checks, what, answer, 403, "insufficient_scope")
            challenge = answer.one("www-authenticate") or ""
            self.checks.that(f'scope="{scope}"' in challenge, f"{what}: names the scope", challenge)

        good = [token(scope="read write"), token(scp=["write", "more", "read"]), token(scope="read", scp="write")]
        lacking = [
            ("none", token(), "read write"),
            ("one", token(scope="read"), "write"),
            ("the other one", token(scope="write"), "read"),
            ("another case", token(scope="Read write"), "read"),
            ("longer names", token(scope="reader write:all"), "read write"),
            ("another claim", token(permissions=["read", "write"]), "read write"),
        ]
        with self.start(*keys, *scopes, grpc=True) as server:
            http, grpc = server.addresses
            for address, version in ((http, HTTP_1), (http, HTTP_2), (grpc, HTTP_2)):
                for item in good:
                    answer = curl(address, f"Authorization: Bearer {item}", version=version)
                    accepted(self.checks, "scopes, good", answer, item)
                for what, item, scope in lacking:
                    answer = curl(address, f"Authorization: Bearer {item}", version=version)
                    missing(f"scopes, {what}", answer, scope)
                # A bad token outranks a missing scope.
                refused(self.checks, "scopes, no token", curl(address, version=version), 401, None)
                for what, item in (("expired", token(exp=1)), ("forged", token()[:-8] + "AAAAAAAA")):
                    answer = curl(address, f"Authorization: Bearer {item}", version=version)
                    refused(self.checks, f"scopes, {what}", answer, 401, "invalid_token", item, what == "expired")
                self.checks.equal(curl(address, path="/readyz", version=version).status, 200, "scopes, readyz")
            grpc_client.check_codes(
                self.checks, grpc,
                good=good[0], lacking=lacking[0][1], scope="read write", bad=[token(exp=1), token()[:-8] + "AAAAAAAA"],
            )
        with self.start(*keys, *scopes, "--optional") as server:
            address = server.addresses[0]
            self.checks.equal(curl(address).json(), {"claims": None, "header": None}, "optional scopes, no token")
            missing("optional scopes, one", curl(address, f"Authorization: Bearer {lacking[1][1]}"), "write")
            self.expect("optional scopes, good", server, good[0], 200)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = "http://127.0.0.1:%d/jwks" % silent.getsockname()[1]
        with self.start("--jwks-url", url, *scopes, grpc=True) as server:
            self.checks.equal(grpc_client.code(server.addresses[1], good[0]), "UNAVAILABLE", "scopes, no keys: code")

    def config(self):
        """The settings of the flags in a file."""
        issuer = f"""
            [issuers.main]
            issuer = '{self.issuer}'
            audience = '{self.audience}'
            jwks_file = '{self.file("keys.jwks.json")}'
        """

        def file(name, top, more=""):
            (self.folder / name).write_text(top + issuer + more)
            return ["--config", self.file(name)]

        with self.start(*file("plain.toml", "grpc_web = true"), issuer=False, grpc=True) as server:
            http, grpc = server.addresses
            ask_with_every_token(self.checks, self.public, http)
            ask_without_a_good_token(self.checks, self.good, http)
            ask_without_a_good_token(self.checks, self.good, grpc)
            grpc_client.check(self.checks, grpc, self.good, self.named("expired, ES256"))
            self.checks.equal(curl(http, path="/readyz").json()["ready"], True, "config, readyz")
            self.checks.equal(server.stop(), 0, "config, SIGTERM: status")
        clock = json.loads((self.folder / "clock.json").read_text())
        flags = [*file("clock.toml", "", "leeway_seconds = 300"), "--clock", str(clock["start"])]
        with self.start(*flags, issuer=False) as server:
            self.expect("config, a clock", server, clock["plain"], 200)
        top = "required_scopes = 'orders:read'\nrealm = 'shop'\ntoken_cache.capacity = 8\n"
        more = "[sources]\nheaders = 'x-token'\n[resource_metadata]\nresource = 'http://127.0.0.1:1/mcp'\n"
        with self.start(*file("more.toml", top, more), "--mcp-scope", "whoami=orders:write", issuer=False) as server:
            address = server.addresses[0]
            self.checks.equal(curl(address).status, 401, "config, no token")
            answer = curl(address, f"X-Token: {self.good}")
            refused(self.checks, "config, scopes", answer, 403, "insufficient_scope")
            challenge = answer.one("www-authenticate") or ""
            self.checks.that(challenge.startswith('Bearer realm="shop"'), "config, realm", challenge)
            self.checks.equal(curl(address, path="/readyz").status, 200, "config, readyz with scopes")
            document = curl(address, path="/.well-known/oauth-protected-resource/mcp").json()
            self.checks.equal(document["authorization_servers"], [self.issuer], "config, metadata")
            self.checks.equal(curl(address, "Authorization: Bearer x", path="/mcp").status, 401, "config, /mcp")
        with self.start(*file("optional.toml", "optional = true\n"), issuer=False) as server:
            self.checks.equal(curl(server.addresses[0]).json(), {"claims": None, "header": None}, "config, optional")
        for name, top, status in (("plain.toml", "", 0), ("scopes.toml", "required_scopes = 'orders:read'\n", 1)):
            run = subprocess.run([self.whoami, "explain", *file(name, top)], input=self.good.encode(), capture_output=True, timeout=10)
            self.checks.equal(run.returncode, status, f"config, explain {name}: exit status ({run.stderr.decode()})")
            named = b"required_scopes: InsufficientScope" in run.stdout
            self.checks.equal(named, status == 1, f"config, explain {name}: the scopes")
        secret = self.folder / "client-secret.txt"
        secret.write_text("s3cret")
        asked = f"""
            [issuers.asked]
            issuer = 'https://asked.example'
            audience = '{self.audience}'
            [issuers.asked.introspection]
            url = 'http://127.0.0.1:1/introspect'
            client_id = 'a'
            client_secret_file = '{secret}'
        """
        # Nobody answers at the endpoint: it is asked about the second token only.
        for token, status in ((self.good, 0), ("opaque", 1)):
            flags = ["explain", *file("both.toml", "", asked)]
            run = subprocess.run([self.whoami, *flags], input=token.encode(), capture_output=True, timeout=10)
            self.checks.equal(run.returncode, status, f"config, explain with introspection ({run.stdout.decode()})")
        once = file("once.toml", "one_time_tokens.capacity = 1\n")
        dpop = file("dpop.toml", "dpop.public_urls = 'https://api.example'\n")
        listen = ["--listen", "127.0.0.1:0"]
        for member, flags in (
            ("one_time_tokens", ["explain", *once]),
            ("dpop", ["explain", *dpop]),
            ("one_time_tokens", [*listen, "--clock", "1", *once]),
            ("dpop", [*listen, "--clock", "1", *dpop]),
        ):
            run = subprocess.run([self.whoami, *flags], input=self.good.encode(), capture_output=True, timeout=10)
            error = run.stderr.decode()
            self.checks.equal(run.returncode, 2, f"config, {flags[0]} with {member}: exit status ({error})")
            self.checks.that(f"`{member}`" in error and error.count("\n") == 1, f"config, {member}: one sentence", error)

    def sources(self):
        keys, origin = ["--jwks", self.file("keys.jwks.json")], "https://app.example"
        cookie = ["--cookie", "__Host-token", "--cookie-origin", origin, "--cookie-origin", "https://more.example"]
        with self.start(*keys, *cookie, "--header", "X-Token", "--token-cache", "8", grpc=True) as server:
            own = (f"Cookie: theme=dark; __Host-token={self.good}", f"Origin: {origin}")
            for address, version in ((server.addresses[0], HTTP_1), (server.addresses[0], HTTP_2), (server.addresses[1], HTTP_2)):
                def ask(*headers, **more):
                    return curl(address, *headers, version=version, **more)

                bearer, header = f"Authorization: Bearer {self.good}", f"X-Token: {self.good}"
                for _ in range(2):
                    for what, headers in (
                        ("cookie", own),
                        ("cookie, other origin", (own[0], "Origin: https://more.example")),
                        ("cookie, same origin", (own[0], "Sec-Fetch-Site: same-origin")),
                        ("header", (header,)),
                        ("header with the scheme", (f"X-Token: Bearer {self.good}",)),
                        ("authorization", (bearer,)),
                        ("other cookie", (bearer, "Cookie: token=x")),
                    ):
                        for method in ("GET", "POST"):
                            accepted(self.checks, f"{what}, {method}", ask(*headers, options=["-X", method]), self.good)
                    for what, headers in (
                        ("header and authorization", (header, bearer)),
                        ("cookie and authorization", (*own, bearer)),
                        ("cookie and header", (*own, header)),
                        ("two headers", (header, header)),
                        ("two cookies", (own[1], f"Cookie: __Host-token={self.good}; __Host-token={self.good}")),
                        ("empty header", ("X-Token;",)),
                    ):
                        refused(self.checks, what, ask(*headers), 400, "invalid_request", self.good)
                    for what, headers in (
                        ("no origin", ()),
                        ("foreign origin", ("Origin: https://evil.example",)),
                        ("null origin", ("Origin: null",)),
                        ("cross-site", ("Sec-Fetch-Site: cross-site",)),
                    ):
                        for method in ("GET", "POST"):
                            answer = ask(own[0], *headers, options=["-X", method])
                            refused(self.checks, f"cookie, {what}, {method}", answer, 403, None, self.good)
                expired = self.named("expired, ES256")
                refused(self.checks, "header, expired", ask(f"X-Token: {expired}"), 401, "invalid_token", expired, True)
                answer = ask(f"Cookie: __Host-token={expired}", own[1])
                refused(self.checks, "cookie, expired", answer, 401, "invalid_token", expired, True)
        with self.start(*keys) as server:
            for what, headers in (("cookie", own), ("header", (f"X-Token: {self.good}",))):
                refused(self.checks, f"{what} that is no source", curl(server.addresses[0], *headers), 401, None)
            bearer = f"Authorization: Bearer {self.good}"
            answer = curl(server.addresses[0], bearer, *own, f"X-Token: {self.good}")
            accepted(self.checks, "others that are no sources", answer, self.good)

    def websocket(self):
        keys = ["--jwks", self.file("keys.jwks.json")]
        cookie = ["--cookie", "token", "--cookie-origin", "https://app.example"]
        with self.start(*keys, *cookie, "--websocket") as server:
            url = f"ws://{server.addresses[0]}/any/path"

            def offer(token):
                return "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")

            def talk(what, selected, **how):
                try:
                    with connect(url, open_timeout=10, **how) as socket:
                        self.checks.equal(socket.subprotocol, selected, f"websocket, {what}: sub-protocol")
                        for message in ("who am I?", b"\0", ""):
                            socket.send(message)
                            claims = json.loads(socket.recv(timeout=10)).get("claims")
                            self.checks.equal(claims, payload(self.good), f"websocket, {what}: claims")
                except Exception as error:
                    self.checks.that(False, f"websocket, {what}", str(error))

            def turned_away(what, status, **how):
                try:
                    with connect(url, open_timeout=10, **how):
                        self.checks.that(False, f"websocket, {what}: opened")
                except InvalidStatus as error:
                    self.checks.equal(error.response.status_code, status, f"websocket, {what}")

            token = offer(self.good)
            headers = {"Authorization": f"Bearer {self.good}"}
            talk("another one offered", "live.v1", subprotocols=["live.v1", token])
            talk("the token first", "live.v1", subprotocols=[token, "live.v1"])
            talk("the token alone", token, subprotocols=[token])
            talk("authorization", None, additional_headers=headers)
            talk("cookie", None, additional_headers={"Cookie": f"token={self.good}"}, origin="https://app.example")
            turned_away("no token", 401)
            turned_away("no token, a sub-protocol", 401, subprotocols=["live.v1"])
            turned_away("expired", 401, subprotocols=["live.v1", offer(self.named("expired, ES256"))])
            turned_away("no base64url", 400, subprotocols=["live.v1", f"{token}*"])
            turned_away("two", 400, subprotocols=[token], additional_headers=headers)
            turned_away("foreign page", 403, additional_headers={"Cookie": f"token={self.good}"}, origin="https://evil.example")
            ask_without_a_good_token(self.checks, self.good, server.addresses[0])
            no_handshake = curl(server.addresses[0], f"Sec-WebSocket-Protocol: {token}")
            refused(self.checks, "a sub-protocol without a handshake", no_handshake, 401, None)
        with self.start(*keys) as server:
            url = f"ws://{server.addresses[0]}/"
            turned_away("without the flag", 401, subprotocols=[token])
        before_the_end = str(payload(self.good)["exp"] - 1)
        ends = ["--websocket", "--end-at-expiry", "--leeway", "0", "--clock", before_the_end]
        with self.start(*keys, *ends) as server, connect(f"ws://{server.addresses[0]}/", additional_headers=headers) as socket:
            try:
                self.checks.that(False, "websocket, expiry: a message", str(socket.recv(timeout=10)))
            except ConnectionClosed as closed:
                self.checks.equal(closed.rcvd and closed.rcvd.code, 4401, "websocket, expiry: close code")

    def bad_flags(self):
        keys = ["--jwks", self.file("keys.jwks.json")]
        both = ["--issuer", self.issuer, "--audience", self.audience]
        pem = ["--public-key", self.file("RS256.pem")]
        secret = ["--secret-file", self.file("secret.bin")]
        ec = {"kty": "EC", "crv": "P-256", "kid": "same"}
        two = [
            {"x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
            {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        ]
        ambiguous = json.dumps({"keys": [{**ec, **point} for point in two]})
        (self.folder / "ambiguous.jwks.json").write_text(ambiguous)
        cases = [
            ["--audience", self.audience, *keys],
            ["--issuer", self.issuer, *keys],
            [*both, "--dangerous-any-issuer", *keys],
            [*both, "--dangerous-any-audience", *keys],
            both,
            [*both, *keys, "--no-such-flag"],
            [*both, *keys, "stray"],
            [*both, *keys, "--algorithm", "XS256"],
            [*both, *keys, "--algorithm", "none"],
            [*both, *keys, "--algorithm", "rs256"],
            [*both, *keys, "--leeway", "301"],
            [*both, *keys, "--leeway", "-1"],
            [*both, *keys, "--leeway", "soon"],
            [*both, *keys, "--typ", "jwt"],
            *([*both, *keys, "--token-type", typ] for typ in ("", "JWT", "at+jwt", "dpop+jwt", "txntoken")),
            [*both, *keys, "--typ", "at+jwt", "--token-type", "txntoken+jwt"],
            [*both, *keys, "--max-token-length", "127"],
            [*both, *keys, "--max-token-length", "65537"],
            [*both, *keys, "--max-token-length", "long"],
            [*both, *keys, "--token-cache", "0"],
            [*both, *keys, "--token-cache", "many"],
            [*both, *keys, "--clock", "noon"],
            [*both, *keys, "--scope", ""],
            [*both, *keys, "--scope", "read write"],
            [*both, *keys, "--scope", 'read"'],
            [*both, *keys, "--scope", "offline_access"],
            *([*both, *keys, "--resource", url] for url in ("", "/mcp", "http://api.example/mcp", "https://api.example/mcp#part", "HTTPS://api.example")),
            ["--dangerous-any-issuer", "--audience", self.audience, *keys, "--resource", "https://api.example"],
            [*both, *keys, "--cookie", "token"],
            [*both, *keys, "--cookie-origin", "https://app.example"],
            [*both, *keys, "--cookie", "a b", "--cookie-origin", "https://app.example"],
            *(
                [*both, *keys, "--cookie", "token", "--cookie-origin", origin]
                for origin in ("", "*", "null", "app.example", "https://app.example/", "https://APP.example")
            ),
            [*both, *keys, "--header", ""],
            [*both, *keys, "--header", "Authorization"],
            [*both, *keys, "--header", "cookie"],
            [*both, *keys, "--header", "x token"],
            [*both, *keys, "--listen", "nowhere"],
            [*both, *keys, "--grpc-listen", "nowhere"],
            [*both, "--jwks", self.file("missing.json")],
            [*both, "--jwks", self.file("unusable.jwks.json")],
            [*both, "--jwks", self.file("empty.jwks.json")],
            [*both, "--jwks", self.file("ambiguous.jwks.json")],
            [*both, "--jwks", self.file("broken.jwks.json")],
            [*both, "--jwks", self.file("RS256.pem")],
            [*both, "--jwks-url", "http://issuer.example/jwks"],
            [*both, "--jwks-url", "ftp://127.0.0.1/jwks"],
            [*both, "--jwks-url", "https://user:password@issuer.example/jwks"],
            [*both, "--jwks-url", "https://issuer.example/jwks#fragment"],
            [*both, "--jwks-url", "issuer.example/jwks"],
            [*both, "--jwks-url", "https://issuer.example/jwks", "--discover"],
            [*both, "--jwks-url", "https://issuer.example/jwks", "--issuer", "https://more.example"],
            [*both, "--discover", *keys],
            [*both, "--discover", *secret],
            [*both, "--discover", "--issuer", self.issuer],
            [*both, "--discover", "--issuer", "http://issuer.example"],
            [*both, "--discover", "--algorithm", "XS256"],
            [*both, *keys, "--issuer", "https://more.example"],
            ["--dangerous-any-issuer", "--audience", self.audience, "--discover"],
            ["--discover", "--audience", self.audience],
            ["--discover", "--issuer", self.issuer],
            *(
                ["--issuer", issuer, "--audience", self.audience, "--discover"]
                for issuer in ("", "issuer", "http://issuer.example", "https://issuer.example?a=b", "https://", "file:///issuer")
            ),
            [*both, *secret],
            [*both, *secret, "--algorithm", "RS256"],
            [*both, "--secret-file", self.file("missing.bin"), "--algorithm", "HS256"],
            [*both, "--secret-file", self.file("short-secret.bin"), "--algorithm", "HS256"],
            [*both, "--secret-file", self.file("RS256.pem"), "--algorithm", "HS256"],
            [*both, "--secret-file", self.file("keys.jwks.json"), "--algorithm", "HS256"],
            [*both, *pem],
            [*both, *pem, "--algorithm", "ES256"],
            [*both, *pem, "--algorithm", "HS256"],
            [*both, "--public-key", self.file("ES256.pem"), "--algorithm", "ES384"],
            [*both, "--public-key", self.file("missing.pem"), "--algorithm", "RS256"],
            [*both, "--public-key", self.file("secret.bin"), "--algorithm", "RS256"],
            [*both, "--public-key", self.file("RS256.private.pem"), "--algorithm", "RS256"],
            [*both, "--public-key", self.file("certificate.pem"), "--algorithm", "ES256"],
            [*both, *keys, "--dpop-nonce"],
            [*both, "--introspect", "https://issuer.example/introspect"],
            [*both, *keys, "--client", "a", "--client-secret-file", self.file("secret.bin")],
            ["--config", self.file("missing.toml")],
            ["--config", self.file("keys.jwks.json")],
            ["--config", self.file("plain.toml"), "--mcp-scope", "whoami=a"],
            *(
                ["--config", self.file("plain.toml"), *flags]
                for flags in (
                    both, keys, ["--algorithm", "ES256"], ["--leeway", "30"], ["--typ", "at+jwt"], ["--allow-at-hash"],
                    ["--max-token-length", "16384"], ["--token-cache", "1"], ["--scope", "a"], ["--optional"],
                    ["--cookie", "a", "--cookie-origin", "https://app.example"], ["--header", "x-token"], ["--websocket"],
                    ["--resource", "https://api.example"], ["--grpc-error-info", "api.example"],
                    ["--dpop"], ["--require-dpop"], ["--token-type", "txntoken+jwt"],
                    ["--dpop-nonce"], ["--cookie", "a"], ["--cookie-origin", "https://app.example"],
                    ["--client-secret-file", self.file("secret.bin")], ["--introspection-cache-age", "1"],
                    ["--dangerous-any-issuer"], ["--dangerous-any-audience"], ["--discover"],
                    ["--issuer", self.issuer], ["--audience", self.audience], ["--jwks", self.file("keys.jwks.json")],
                    ["--jwks-url", "https://issuer.example/jwks"], ["--public-key", self.file("RS256.pem")],
                    ["--secret-file", self.file("secret.bin")], ["--introspect", "https://issuer.example/introspect"],
                    ["--introspect", "https://issuer.example/introspect", "--client", "a"], ["--client", "a"],
                )
            ),
        ]
        for number, (text, place) in enumerate((
            ("realm = 1", "line 1, realm: "),
            ("\n[issuers.main]\njwk_url = 'a'", "line 3, issuers.main.jwk_url: "),
            ("[issuers.main]\nissuer = 'a'\naudience = 'b'", "issuers.main: "),
            ("[issuers.main]\nissuer = 'a'\naudience = 'b'\njwks_url = 'http://a.example'", "issuers.main.jwks_url: "),
            ("realm = ", "line 1"),
        )):
            (self.folder / f"bad-{number}.toml").write_text(text)
            flags = ["--config", self.file(f"bad-{number}.toml")]
            run = subprocess.run([self.whoami, *flags], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
            self.checks.that(place in run.stderr.decode(), f"{place} is named", run.stderr)
            cases.append(flags)
        for flags in cases:
            what = " ".join(flags).replace(str(self.folder) + "/", "")
            listen = [] if "--listen" in flags else ["--listen", "127.0.0.1:0"]
            try:
                run = subprocess.run([self.whoami, *listen, *flags], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
            except subprocess.TimeoutExpired:
                self.checks.that(False, f"{what}: was not rejected")
                continue
            error = run.stderr.decode()
            self.checks.equal(run.returncode, 2, f"{what}: exit status ({error})")
            sentences = [line for line in error.splitlines() if line.strip()]
            self.checks.that(len(sentences) == 1 and "panicked" not in error, f"{what}: one sentence", error)
            self.checks.that(b"listening" not in run.stdout, f"{what}: does not listen", run.stdout)
        # An address that is taken is no better than a wrong one.
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = ["--listen", "127.0.0.1:%d" % taken.getsockname()[1]]
            run = subprocess.run([self.whoami, *listen, *both, *keys], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
            self.checks.that(run.returncode != 0 and b"panicked" not in run.stderr, "address taken", run.stderr)

    def stops_while_busy(self):
        """SIGTERM with an idle connection and an open gRPC stream."""
        with self.start("--jwks", self.file("keys.jwks.json"), grpc=True) as server:
            host, port = server.addresses[0].rsplit(":", 1)
            with socket.create_connection((host, int(port))) as idle:
                idle.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.checks.that(idle.recv(4096).startswith(b"HTTP/1.1 401"), "idle connection")
                with grpc_client.open_watch(server.addresses[1], self.good):
                    self.checks.equal(server.stop(), 0, "SIGTERM with connections open: status within 10 s")

    def all(self):
        runs = [self.every_token, self.secret_file, self.public_keys, self.narrowed, self.any_issuer]
        runs += [self.clock, self.allowed, self.token_types, self.optional, self.resource, self.token_cache, self.explain, self.scopes, self.config, self.sources, self.websocket, self.bad_flags, self.stops_while_busy]
        for run in runs:
            before = self.checks.passed
            try:
                run()
            except Exception as error:
                self.checks.that(False, f"{run.__name__} could not go on", str(error))
            print(f"{run.__name__}: {self.checks.passed - before} checks passed", flush=True)


class LetsEverybodyIn(http.server.BaseHTTPRequestHandler):
    """A server without the layer: 200 to all, with the claims of the token unverified."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            token = self.headers["authorization"].split()[-1]
            answer = {"claims": payload(token), "header": payload(token, 0)}
        except Exception:
            answer = {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def negative_control(runs):
    """The same checks against servers that let everybody in: each refusal must be missed."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), LetsEverybodyIn) as open_server:
        threading.Thread(target=open_server.serve_forever, daemon=True).start()
        address = "127.0.0.1:%d" % open_server.server_port
        blind = []
        for item in runs.public:
            checks = Checks()
            ask_with_every_token(checks, [item], address, versions=(HTTP_1,))
            if bool(checks.failures) != (item["expect"] != 200):
                blind.append(item["name"])
        checks = Checks()
        ask_without_a_good_token(checks, runs.good, address)
        open_server.shutdown()
    runs.checks.equal(blind, [], "negative control, tokens")
    for start in ("no token", "basic", "two", "empty", "percent"):
        caught = any(failure.startswith(start) for failure in checks.failures)
        runs.checks.that(caught, f"negative control, {start}")
    caught = grpc_client.check_without_layer(runs.good, runs.named("expired, ES256"))
    runs.checks.that(caught, "negative control, gRPC")


def main():
    runs = Runs(str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve())
    runs.all()
    negative_control(runs)
    runs.checks.end("whoami")


if __name__ == "__main__":
    main()
