"""grpcio and grpcurl against examples/grpc_scopes: run_grpc_scopes.py PROGRAM"""
import os
import sys
import tempfile
from pathlib import Path

import grpc
import jwt as pyjwt

from grpc_client import REFLECTION, bearer, code, grpcurl_code, list_services, methods, outcome
from harness import Checks, Server

SECRET = b"tower-jwt-auth demo secret: never use it for real"
V1, V1_ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"


def token(user="alice", exp=4102444800, **claims):
    claims = {"iss": "https://issuer.example", "aud": "https://api.example", "sub": user, "exp": exp, **claims}
    return pyjwt.encode(claims, SECRET, "HS256")


def table(checks, address):
    """The code of each method for each token."""
    read, watch, none = token(scope="health:read"), token(scope="health:watch"), token()
    expired = token(exp=1)
    wanted = {
        "Check": {None: "UNAUTHENTICATED", expired: "UNAUTHENTICATED", none: "PERMISSION_DENIED", read: "OK", watch: "PERMISSION_DENIED"},
        "Watch": {None: "UNAUTHENTICATED", expired: "UNAUTHENTICATED", none: "PERMISSION_DENIED", read: "PERMISSION_DENIED", watch: "OK"},
        # Open to everybody: what comes in `authorization` is not looked at.
        V1: {None: "OK", expired: "OK", none: "OK", read: "OK", watch: "OK"},
        # Not in the table of rules.
        V1_ALPHA: {None: "UNAUTHENTICATED", expired: "UNAUTHENTICATED", none: "PERMISSION_DENIED", read: "PERMISSION_DENIED", watch: "PERMISSION_DENIED"},
    }
    scopes = {"Check": "health:read", "Watch": "health:watch"}
    with grpc.insecure_channel(address) as channel:
        for name, (call, _) in methods(channel).items():
            for number, (credentials, code) in enumerate(wanted[name].items()):
                metadata = bearer(credentials) if credentials else ()
                seen, challenge = outcome(lambda: call(metadata))
                checks.equal(seen, code, f"{name}, token {number}")
                if code == "PERMISSION_DENIED":
                    scope = f'scope="{scopes[name]}"' if name in scopes else "insufficient_scope"
                    checks.that(scope in challenge, f"{name}, token {number}: challenge", challenge)
        checks.that("grpc.health.v1.Health" in list_services(channel, V1, ()), "reflection without a token")
    assert set(wanted) == {"Check", "Watch", *REFLECTION}


def main():
    checks = Checks()
    program = str(Path(sys.argv[1]).resolve())
    read, internal = token(scope="health:read"), token(scope="health:read health:internal")
    with tempfile.TemporaryDirectory() as folder:
        disabled = Path(folder) / "disabled-users.txt"
        disabled.write_text("mallory\n")
        with Server([program], env={**os.environ, "LISTEN": "127.0.0.1:0", "DISABLED_USERS": str(disabled)}) as server:
            address = server.addresses[0]
            table(checks, address)
            # The rule of a message.
            for credentials, wanted in ((read, "PERMISSION_DENIED"), (internal, "OK")):
                checks.equal(code(address, credentials, service="billing"), wanted, "a message that needs more")
            # The check, also while the server runs.
            mallory = token("mallory", scope="health:read")
            checks.equal(code(address, mallory), "UNAUTHENTICATED", "a disabled user")
            disabled.write_text("alice\n")
            checks.equal(code(address, mallory), "OK", "a user who is enabled again")
            checks.equal(code(address, read), "UNAUTHENTICATED", "a user who was disabled")
            disabled.unlink()
            wanted = [(None, "Unauthenticated"), (token(exp=1), "Unauthenticated"), (read, "Unavailable")]
            for credentials, code_name in wanted:
                checks.equal(grpcurl_code(address, credentials), code_name, "grpcurl, the list is away")
            checks.equal(code(address, read), "UNAVAILABLE", "the list is away")
            disabled.write_text("")
            for credentials, code_name in ((read, "OK"), (token(), "PermissionDenied")):
                checks.equal(grpcurl_code(address, credentials), code_name, "grpcurl, the list is back")
    checks.end("grpc_scopes")


if __name__ == "__main__":
    main()
