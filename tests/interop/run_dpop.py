"""A DPoP client against oidc-provider and examples/whoami: run_dpop.py WHOAMI

Issuer and server demand nonces, or neither does. The client must fail against a server that takes a bound token for a
bearer token, and against one that lets everybody in.
"""
import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

from harness import Checks, Server
from issuers import RESOURCE, OidcProvider
from run_whoami import LetsEverybodyIn

CLIENT = str(Path(__file__).parent / "client_dpop.mjs")
LINES = ("listening on ", "grpc listening on ")


def run_client(issuer, server, grpc_server, **env):
    command = ["node", CLIENT, issuer.name, server, grpc_server, f"{RESOURCE}/es"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **env})
    return run.returncode, (run.stdout + run.stderr).strip()


def main(whoami):
    checks = Checks()

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
