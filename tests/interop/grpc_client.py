"""grpcio and grpcurl against a server with the standard health service and reflection behind the layer."""
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from harness import Checks

SERVING = health_pb2.HealthCheckResponse.SERVING
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
REQUEST = health_pb2.HealthCheckRequest(service="")
GRPCURL = Path(sys.executable).parent / "grpcurl"
REFLECTION = ["grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"]


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def list_services(channel, service, metadata):
    """The same messages serve both versions of the reflection service."""
    call = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(call(iter([request]), metadata=metadata, timeout=5))
    return [service.name for service in answer.list_services_response.service]


def first_of(stream):
    try:
        return next(stream).status
    finally:
        stream.cancel()


def methods(channel):
    """Every way to call the server, each with the answer to a good token."""
    stub = health_pb2_grpc.HealthStub(channel)
    ways = {
        "Check": (lambda md: stub.Check(REQUEST, metadata=md, timeout=5).status, lambda seen: seen == SERVING),
        "Watch": (lambda md: first_of(stub.Watch(REQUEST, metadata=md, timeout=5)), lambda seen: seen == SERVING),
    }
    for service in REFLECTION:
        ways[service] = (
            lambda md, service=service: list_services(channel, service, md),
            lambda seen: "grpc.health.v1.Health" in seen,
        )
    return ways


def refused(checks, what, call, words=(), error=True):
    """UNAUTHENTICATED with the challenge as metadata."""
    try:
        seen = call()
    except grpc.RpcError as refusal:
        metadata = dict(refusal.trailing_metadata() or ())
        challenge = metadata.get("www-authenticate", "")
        checks.equal(refusal.code(), UNAUTHENTICATED, f"{what}: code")
        checks.that(challenge.startswith("Bearer "), f"{what}: challenge", challenge)
        checks.equal('error="invalid_token"' in challenge, error, f"{what}: error in {challenge}")
        for word in words:
            checks.that(word in (refusal.details() or ""), f"{what}: {word}", refusal.details())
        checks.that(bool(refusal.details()), f"{what}: has a message")
    else:
        checks.that(False, f"{what}: was let in", str(seen))


def grpcurl(address, *arguments, token=None, options=()):
    header = ["-H", f"authorization: Bearer {token}"] if token else []
    command = [str(GRPCURL), "-plaintext", "-max-time", "5", *header, *options, address, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


def outcome(call):
    """The name of the status code, and the challenge."""
    try:
        call()
    except grpc.RpcError as refusal:
        return refusal.code().name, dict(refusal.trailing_metadata() or ()).get("www-authenticate", "")
    return "OK", ""


def code(address, token, service=""):
    """Of a call of `Check`."""
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        metadata = bearer(token) if token else ()
        return outcome(lambda: health_pb2_grpc.HealthStub(channel).Check(request, metadata=metadata, timeout=10))[0]


def check_codes(checks, address, good, lacking, scope, bad):
    """Every way to call a server that asks for scopes, by grpcio; and `Check`, by grpcurl."""
    with grpc.insecure_channel(address) as channel:
        for name, (call, is_good) in methods(channel).items():
            checks.that(is_good(call(bearer(good))), f"gRPC {name}, with the scopes")
            seen, challenge = outcome(lambda: call(bearer(lacking)))
            checks.equal(seen, "PERMISSION_DENIED", f"gRPC {name}, without the scopes")
            names = f'scope="{scope}"' in challenge and 'error="insufficient_scope"' in challenge
            checks.that(names, f"gRPC {name}, without the scopes: challenge", challenge)
            for token in (None, *bad):
                seen, challenge = outcome(lambda: call(bearer(token) if token else ()))
                checks.equal(seen, "UNAUTHENTICATED", f"gRPC {name}, a bad token outranks a missing scope")
    for token, wanted in ((None, "Unauthenticated"), (lacking, "PermissionDenied"), (bad[0], "Unauthenticated")):
        checks.equal(grpcurl_code(address, token), wanted, "grpcurl Check")
    checks.equal(grpcurl_code(address, good), "OK", "grpcurl Check")


def grpcurl_code(address, token):
    """Of a call of `Check`, without reflection."""
    with tempfile.NamedTemporaryFile(suffix=".protoset") as file:
        descriptors = FileDescriptorSet()
        health_pb2.DESCRIPTOR.CopyToProto(descriptors.file.add())
        file.write(descriptors.SerializeToString())
        file.flush()
        run = grpcurl(address, "grpc.health.v1.Health/Check", token=token, options=["-protoset", file.name])
    found = re.search(r"Code: (\w+)", run.stdout + run.stderr)
    return "OK" if run.returncode == 0 else found and found[1]


def check(checks, address, good, expired):
    with grpc.insecure_channel(address) as channel:
        for name, (call, is_good) in methods(channel).items():
            refused(checks, f"gRPC {name}, no token", lambda: call(()), error=False)
            basic = (("authorization", "Basic Og=="),)
            refused(checks, f"gRPC {name}, basic", lambda: call(basic), error=False)
            refused(checks, f"gRPC {name}, bad token", lambda: call(bearer("x")))
            refused(checks, f"gRPC {name}, forged", lambda: call(bearer(good[:-8] + "AAAAAAAA")))
            refused(checks, f"gRPC {name}, expired", lambda: call(bearer(expired)), ["expired"])
            try:
                seen = call(bearer(good))
            except grpc.RpcError as error:
                seen = []
                checks.that(False, f"gRPC {name}, good token", f"{error.code()} {error.details()}")
            else:
                checks.that(is_good(seen), f"gRPC {name}, good token", str(seen))

    # Call credentials, as real clients have them; over TCP, they need a channel that counts as safe.
    local = grpc.local_channel_credentials()
    both = grpc.composite_channel_credentials(local, grpc.access_token_call_credentials(good))
    with grpc.secure_channel(address, both) as channel:
        try:
            seen = health_pb2_grpc.HealthStub(channel).Check(REQUEST, timeout=5).status
        except grpc.RpcError as error:
            seen = f"{error.code()} {error.details()}"
        checks.equal(seen, SERVING, "gRPC call credentials")

    for name, token in (("no token", None), ("bad token", "x"), ("expired", expired)):
        run = grpcurl(address, "list", token=token)
        checks.that(run.returncode != 0, f"grpcurl list, {name}", run.stdout)
        checks.that("Unauthenticated" in run.stdout + run.stderr, f"grpcurl list, {name}: says why", run.stderr)
    run = grpcurl(address, "list", token=good)
    checks.that("grpc.health.v1.Health" in run.stdout.split(), "grpcurl list", run.stdout + run.stderr)
    run = grpcurl(address, "grpc.health.v1.Health/Check", token=good)
    status = json.loads(run.stdout).get("status") if run.returncode == 0 else run.stderr
    checks.equal(status, "SERVING", "grpcurl Check")


@contextlib.contextmanager
def open_watch(address, token):
    """A stream that stays open: its first message is there."""
    with grpc.insecure_channel(address) as channel:
        stream = health_pb2_grpc.HealthStub(channel).Watch(REQUEST, metadata=bearer(token))
        next(stream)
        yield
        stream.cancel()


def check_without_layer(good, expired):
    """Whether the checks fail against a server that asks for no token, and only for that reason."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection([health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    checks = Checks()
    try:
        check(checks, f"127.0.0.1:{port}", good, expired)
    finally:
        server.stop(None).wait()
    ways = [f"gRPC {name}, {token}" for name in ("Check", "Watch", REFLECTION[0])
            for token in ("no token", "basic", "bad token", "forged", "expired")]
    ways += [f"grpcurl list, {name}" for name in ("no token", "bad token", "expired")]
    caught = all(any(failure.startswith(way) for failure in checks.failures) for way in ways)
    good_ones = [f for f in checks.failures if "good token" in f and REFLECTION[1] not in f]
    return caught and not good_ones
