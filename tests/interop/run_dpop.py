"""A DPoP client against oidc-provider and examples/whoami: run_dpop.py WHOAMI

Issuer and server demand nonces, or neither does. The client must fail against a server that takes a bound token for a
bearer token, and against one that lets everybody in. Then the flags that need no issuer: explain and --leeway.
"""
import base64
import hashlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid
from pathlib import Path

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import ec

from harness import Checks, Server, curl
from issuers import RESOURCE, OidcProvider
from run_whoami import LetsEverybodyIn

CLIENT = str(Path(__file__).parent / "client_dpop.mjs")
LINES = ("listening on ", "grpc listening on ")


def run_client(issuer, server, grpc_server, **env):
    command = ["node", CLIENT, issuer.name, server, grpc_server, f"{RESOURCE}/es"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **env})
    return run.returncode, (run.stdout + run.stderr).strip()


def b64(digest):
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Client:
    """Signs tokens with the secret of the server, and proofs with its own key."""

    NOW = 1700000000
    SECRET = b"an example of a secret: 32 octets"

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        jwk = json.loads(pyjwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        self.jwk = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
        self.jkt = b64(hashlib.sha256(json.dumps(self.jwk, separators=(",", ":")).encode()).digest())

    def token(self, **claims):
        claims = {"iss": "https://issuer.test", "aud": "api", "exp": self.NOW + 3600, **claims}
        return pyjwt.encode(claims, self.SECRET, "HS256")

    def proof(self, address, token, iat):
        ath = b64(hashlib.sha256(token.encode()).digest())
        claims = {"jti": str(uuid.uuid4()), "htm": "GET", "htu": f"http://{address}/", "iat": iat, "ath": ath}
        return pyjwt.encode(claims, self.key, "ES256", {"typ": "dpop+jwt", "jwk": self.jwk})


def explain(checks, whoami, client, flags):
    by_key, by_certificate = {"jkt": client.jkt}, {"x5t#S256": client.jkt}
    proof = "accepted: bound to a key: each request needs a DPoP proof"
    for more, claims, status, line in (
        ([], {}, 0, "accepted"),
        ([], {"cnf": by_key}, 1, "refused: "),
        (["--dpop"], {}, 0, "accepted"),
        (["--dpop"], {"cnf": by_key}, 0, proof),
        (["--require-dpop"], {"cnf": by_key}, 0, proof),
        (["--require-dpop"], {}, 1, "refused: the token is not bound to a key"),
        (["--dpop"], {"cnf": by_certificate}, 1, "refused: the token is bound to something else"),
        (["--dpop"], {"cnf": by_key, "exp": 1}, 1, "refused: "),
        (["--dpop"], {"cnf": {}}, 1, "refused: "),
    ):
        command, token = [whoami, "explain", *flags, *more], client.token(**claims)
        run = subprocess.run(command, input=token, capture_output=True, text=True, timeout=10)
        last = run.stdout.strip().splitlines()[-1:]
        exact = last == [line] if line == "accepted" else "".join(last).startswith(line)
        checks.equal((run.returncode, exact), (status, True), f"explain {more}, {claims}: {last} {run.stderr}")


def leeway(checks, whoami, client, flags):
    token = client.token(cnf={"jkt": client.jkt})
    for seconds, iat, status in ((0, 1, 401), (0, 0, 200), (10, 10, 200), (10, 11, 401), (10, -69, 200), (10, -70, 401)):
        command = [whoami, "--listen", "127.0.0.1:0", *flags, "--dpop", "--leeway", str(seconds)]
        with Server(command, LINES[:1]) as server:
            address = server.addresses[0]
            proof = client.proof(address, token, client.NOW + iat)
            answer = curl(address, f"Authorization: DPoP {token}", f"DPoP: {proof}")
            checks.equal(answer.status, status, f"--leeway {seconds}, a proof with iat {iat}")


def without_an_issuer(checks, whoami):
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.write_bytes(Client.SECRET)
        flags = ["--secret-file", str(secret), "--algorithm", "HS256", "--issuer", "https://issuer.test"]
        flags += ["--audience", "api", "--clock", str(Client.NOW)]
        explain(checks, whoami, Client(), flags)
        leeway(checks, whoami, Client(), flags)


def main(whoami):
    checks = Checks()
    without_an_issuer(checks, whoami)

    def start(issuer, *flags):
        command = [whoami, "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", *flags]
        return Server([*command, "--issuer", issuer.name, "--audience", f"{RESOURCE}/es", "--discover"], LINES)

    with OidcProvider() as issuer:
        with start(issuer, "--dpop", "--token-cache", "100") as server:
            status, output = run_client(issuer, *server.addresses)
            checks.equal(status, 0, f"a client without nonces: {output}")
            checks.that(output.endswith("passed"), "a client without nonces: how much", output)
        # Neither holds what the client asserts.
        with start(issuer) as server:
            status, output = run_client(issuer, *server.addresses)
            checks.equal((status, "a good proof" in output), (1, True), f"without --dpop: {output}")
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), LetsEverybodyIn) as everybody:
            threading.Thread(target=everybody.serve_forever, daemon=True).start()
            address = "127.0.0.1:%d" % everybody.server_port
            status, output = run_client(issuer, address, address)
            everybody.shutdown()
            checks.equal((status, "another key" in output), (1, True), f"a server that lets everybody in: {output}")
    with OidcProvider(env={"DPOP_NONCE": "1"}) as issuer:
        with start(issuer, "--require-dpop", "--dpop-nonce") as server:
            status, output = run_client(issuer, *server.addresses, NONCES="1", REQUIRED="1")
            checks.equal(status, 0, f"a client with nonces: {output}")
    checks.end("DPoP")


if __name__ == "__main__":
    main(sys.argv[1])
