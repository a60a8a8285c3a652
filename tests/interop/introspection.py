"""The runs of run_issuers.py in which whoami asks the issuer about each token (RFC 7662)."""
import contextlib
import time

from issuers import RESOURCE, Glewlwyd, OidcProvider

# How long whoami uses an answer again, in seconds.
AGE = 3


class IntrospectionRuns:
    @contextlib.contextmanager
    def introspecting(self, what, issuer, client="rs", secret="rs-secret", **options):
        file = self.folder / f"secret-{time.time_ns()}"
        file.write_text(secret + "\n")
        flags = [
            "--issuer", issuer.name, "--audience", f"{RESOURCE}/opaque", "--introspect", issuer.introspection,
            "--client", client, "--client-secret-file", str(file), "--introspection-cache-age", str(AGE),
        ]
        with self.start(*flags, **options) as server:
            self.until_ready(what, server)
            yield server

    def is_active(self, what, server, token, **wanted):
        answer = self.ask(server, token)
        self.checks.equal(answer.status, 200, f"{what}: status")
        body = answer.json() or {}
        claims = body.get("claims") or {}
        seen = {name: claims.get(name) for name in wanted}
        self.checks.equal((claims.get("active"), seen), (True, wanted), f"{what}: the answer")
        self.checks.equal(body.get("header"), None, f"{what}: no header")

    def is_revoked_within_the_age(self, what, server, issuer, token):
        self.is_active(f"{what}, before it is revoked", server, token)
        issuer.revoke(token)
        self.until(f"{what}, revoked", lambda: self.ask(server, token).status == 401, min(AGE + 1, self.patience))
        self.refuses(f"{what}, revoked", server, token)

    def introspection(self):
        with OidcProvider(env={"SCOPES": "read"}) as issuer, self.introspecting("introspection", issuer, grpc=True) as server:
            token, other = issuer.token("opaque"), issuer.token("opaque")
            self.checks.that("." not in token, "introspection: the token is opaque")
            wanted = {"iss": issuer.name, "client_id": "svc", "scope": "read", "aud": f"{RESOURCE}/opaque"}
            for _ in range(5):
                self.is_active("introspection", server, token, token_type="Bearer", **wanted)
            asked = [request for request in issuer.requests() if request == "POST /token/introspection"]
            self.checks.that(len(asked) in (1, 2), "introspection: one request for five", asked)
            self.asks_for_one("introspection", server)
            for unknown in ("unknown", token[:-1], token + "a", issuer.token("rs")):
                self.refuses(f"introspection, {unknown[:7]}", server, unknown)
            self.refuses("introspection, for another audience", server, issuer.token("other/opaque"))
            # The issuer calls it active.
            self.refuses("introspection, a refresh token", server, issuer.refresh_token())
            # The service misses its message: it was let in.
            self.checks.equal(self.grpc_status(server, token), "13", "introspection: gRPC")
            self.checks.equal(self.grpc_status(server, "unknown"), "16", "introspection: gRPC, unknown")
            self.is_revoked_within_the_age("introspection", server, issuer, token)
            self.is_active("introspection, another token", server, other)

            with self.introspecting("introspection, wrong secret", issuer, secret="wrong") as wrong:
                self.has_no_keys("introspection, wrong secret", wrong, other)
                self.asks_for_one("introspection, wrong secret", wrong)
            late = issuer.token("opaque")
            issuer.kill()
            self.has_no_keys("introspection, outage", server, late)
            self.checks.equal(self.grpc_status(server, late), "14", "introspection, outage: gRPC")
            self.asks_for_one("introspection, outage", server)
            issuer.start()
            self.is_active("introspection, return", server, issuer.token("opaque"))
            # The issuer keeps tokens in memory.
            self.refuses("introspection, a token from before", server, late)

    def introspection_by_glewlwyd(self):
        with Glewlwyd(self.folder) as issuer:
            what = "introspection by Glewlwyd"
            with self.introspecting(what, issuer, client="svc", secret="svc-secret") as server:
                token = issuer.token()
                self.is_active(what, server, token, client_id="svc", scope="read")
                self.refuses(f"{what}, unknown", server, "unknown")
                self.is_revoked_within_the_age(what, server, issuer, token)


# What a server that lets everybody in must be caught at.
CAUGHT = {
    "introspection": [
        "introspection, unknown: status", "introspection, for another audience: status",
        "introspection, a refresh token: status", "introspection, revoked",
        "introspection, wrong secret: status", "introspection, outage: status",
    ],
    "introspection_by_glewlwyd": ["introspection by Glewlwyd, unknown: status", "introspection by Glewlwyd, revoked"],
}
