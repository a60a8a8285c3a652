"""grpcio, grpcurl and two clients of gRPC-Web against examples/whoami: status details, streams that end at the expiry
of their token, and retries: run_grpc_details.py PROGRAM"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
import jwt as pyjwt
from google.protobuf import duration_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from grpc_client import REFLECTION, REQUEST, SERVING, bearer, grpcurl, list_services
from harness import Checks, Server

SECRET = b"a secret of the tests, 32 bytes or more"
ISSUER, AUDIENCE = "https://issuer.example", "https://api.example"
DOMAIN = "orders.example"
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def token(lifetime=3600, **claims):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": int(time.time()) + lifetime, **claims}
    return pyjwt.encode(claims, SECRET, "HS256")


def failure(call):
    try:
        return None, call()
    except grpc.RpcError as error:
        return error, None


def error_info(error):
    """`from_call` fails if the details are not those of the status."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert len(status.details) == 1 and status.details[0].Unpack(info), status
    return info


def every_kind(channel, metadata):
    """A call of each kind to a method that nobody implements: a refusal comes first."""
    path = "/shop.v1.Orders/Write"
    one, many = b"", lambda: iter([b"", b""])
    return {
        "unary": lambda: channel.unary_unary(path)(one, metadata=metadata, timeout=5),
        "server stream": lambda: next(channel.unary_stream(path)(one, metadata=metadata, timeout=5)),
        "client stream": lambda: channel.stream_unary(path)(many(), metadata=metadata, timeout=5),
        "both streams": lambda: next(channel.stream_stream(path)(many(), metadata=metadata, timeout=5)),
    }


def details(checks, address):
    expired, lacking = token(-60), token(scope="read")
    cases = [
        (None, UNAUTHENTICATED, "MISSING_CREDENTIALS", {}),
        ("x", UNAUTHENTICATED, "MALFORMED_TOKEN", {"error": "invalid_token"}),
        (expired, UNAUTHENTICATED, "EXPIRED_TOKEN", {"error": "invalid_token"}),
        (lacking, grpc.StatusCode.PERMISSION_DENIED, "INSUFFICIENT_SCOPE",
         {"error": "insufficient_scope", "scope": "write"}),
    ]
    with grpc.insecure_channel(address) as channel:
        for credentials, code, reason, metadata in cases:
            for kind, call in every_kind(channel, bearer(credentials) if credentials else ()).items():
                error, seen = failure(call)
                if not checks.that(error is not None, f"{kind}, {reason}: was let in", str(seen)):
                    continue
                checks.equal(error.code(), code, f"{kind}, {reason}: code")
                info = error_info(error)
                checks.equal((info.reason, info.domain, dict(info.metadata)), (reason, DOMAIN, metadata), f"{kind}")
                challenge = dict(error.trailing_metadata()).get("www-authenticate", "")
                checks.that(challenge.startswith("Bearer "), f"{kind}, {reason}: challenge", challenge)
    run = grpcurl(address, "list", token=expired)
    checks.that("Unauthenticated" in run.stderr, "grpcurl: code", run.stderr)
    run = grpcurl(address, "grpc.health.v1.Health/Check", token=lacking, options=["-protoset", protoset()])
    for word in ("PermissionDenied", "google.rpc.ErrorInfo", "INSUFFICIENT_SCOPE", DOMAIN):
        checks.that(word in run.stdout + run.stderr, f"grpcurl shows {word}", run.stdout + run.stderr)


def protoset():
    """A file with the messages that grpcurl has to know, since it has no reflection without a token."""
    descriptors = FileDescriptorSet()
    for file in (duration_pb2, error_details_pb2, health_pb2):
        file.DESCRIPTOR.CopyToProto(descriptors.file.add())
    path = Path(tempfile.mkdtemp()) / "messages.protoset"
    path.write_bytes(descriptors.SerializeToString())
    return str(path)


def web_clients(checks, address):
    script = Path(__file__).with_name("grpc_web.mjs")
    run = subprocess.run(["node", str(script), address, token(-60)], capture_output=True, text=True, timeout=60)
    if not checks.equal(run.returncode, 0, f"grpc_web.mjs: {run.stderr}"):
        return
    for client, seen in json.loads(run.stdout).items():
        checks.equal((seen.get("code"), seen.get("message")), (16, "the token has expired"), client)
        checks.that((seen.get("challenge") or "").startswith("Bearer "), f"{client}: challenge", seen)
        if client.startswith("connect"):
            checks.equal((seen.get("reason"), seen.get("domain")), ("EXPIRED_TOKEN", DOMAIN), f"{client}: error info")


def open_ended():
    """One message, and then nothing for longer than the token is valid."""
    yield reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
    time.sleep(8)


def expiry(checks, address):
    """Streams end; the next one on the same connection goes on with a new token."""
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for _ in range(2):
            begun = time.monotonic()
            stream = stub.Watch(REQUEST, metadata=bearer(token(3, scope="read write")), timeout=20)
            checks.equal(next(stream).status, SERVING, "Watch, first message")
            error, seen = failure(lambda: next(stream))
            checks.equal(error and (error.code(), error.details()), (UNAUTHENTICATED, "the token has expired"), "Watch")
            checks.that(1 < time.monotonic() - begun < 5, "Watch, when it ends", time.monotonic() - begun)
        begun = time.monotonic()
        path = f"/{REFLECTION[1]}/ServerReflectionInfo"
        call = channel.stream_stream(path)(open_ended(), metadata=bearer(token(3, scope="read write")), timeout=20)
        next(call)
        error, _ = failure(lambda: next(call))
        checks.equal(error and (error.code(), error.details()), (UNAUTHENTICATED, "the token has expired"), "both streams")
        checks.that(1 < time.monotonic() - begun < 5, "both streams, when they end", time.monotonic() - begun)
        good = bearer(token(scope="read write"))
        checks.equal(stub.Check(REQUEST, metadata=good, timeout=5).status, SERVING, "Check, after that")
        checks.that("grpc.health.v1.Health" in list_services(channel, REFLECTION[1], good), "reflection, after that")


def retries(checks, address):
    """The keys are away: a client with a retry policy waits as long as the server says."""
    policy = {"maxAttempts": 2, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1,
              "retryableStatusCodes": ["UNAVAILABLE"]}
    config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
    with grpc.insecure_channel(address, options=[("grpc.service_config", json.dumps(config))]) as channel:
        begun = time.monotonic()
        error, _ = failure(lambda: health_pb2_grpc.HealthStub(channel).Check(
            REQUEST, metadata=bearer(token()), timeout=30))
        waited = time.monotonic() - begun
    checks.equal(error and error.code(), grpc.StatusCode.UNAVAILABLE, "no keys: code")
    metadata = dict(error.trailing_metadata())
    pushback = int(metadata.get("grpc-retry-pushback-ms", 0))
    checks.equal(pushback, int(metadata.get("retry-after", 0)) * 1000, "no keys: pushback")
    checks.that(pushback >= 1000 and waited >= 1, "no keys: the client waits", (pushback, waited))


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret.bin"
        secret.write_bytes(SECRET)
        command = [sys.argv[1], "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]
        command += ["--issuer", ISSUER, "--audience", AUDIENCE, "--end-at-expiry"]
        info = ["--grpc-error-info", DOMAIN]
        lines = ("listening on ", "grpc listening on ")
        keys = ["--secret-file", str(secret), "--algorithm", "HS256", "--leeway", "0"]
        with Server([*command, *info, *keys, "--scope", "read", "--scope", "write"], lines) as server:
            for part in (details, expiry):
                part(checks, server.addresses[1])
            for address in server.addresses:
                web_clients(checks, address)
        with Server([*command, "--jwks-url", "http://127.0.0.1:1/jwks"], lines) as server:
            retries(checks, server.addresses[1])
        run = subprocess.run([*command, *keys, "--grpc-error-info", ""], capture_output=True, text=True, timeout=10)
        checks.equal(run.returncode, 2, "a bad domain")
        checks.that("--grpc-error-info" in run.stderr and "domain" in run.stderr, "a bad domain", run.stderr)
    checks.end("grpc_details")


if __name__ == "__main__":
    main()
