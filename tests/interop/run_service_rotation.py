"""The layer in another process follows the token service's rotation: run_service_rotation.py TOKEN_SERVICE WHOAMI FOLDER

whoami finds the keys by discovery. While threads get tokens from the service and show them to whoami, the service's keys
are rotated again and again. No good token may be refused, old ones included, and tokens of every key must have been
seen. After the keys are rotated with --revoke-others, and whoami starts again, tokens of the other keys are refused.
"""
import base64
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from harness import Checks, Server, curl
from instances import free_port

TOKEN_SERVICE, WHOAMI, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
ROTATIONS, INTERVAL, PUBLISHED = 4, 8, 3
DATABASE = ["--database", f"sqlite:{FOLDER / 'rotation.db'}"]
GOOD = "username=alice&password=wonderland"


def command(*words, text=None):
    run = subprocess.run([TOKEN_SERVICE, *DATABASE, *words], input=text, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"{words}: {run.stderr}")
    return run.stdout


def token_of(address):
    answer = curl(address, path="/token", options=["--data", GOOD])
    return answer.json()["access_token"]


def kid(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def show(address, token):
    return curl(address, f"Authorization: Bearer {token}").status


checks = Checks()
command("user", "add", "alice", text="wonderland\n")
port = free_port()
issuer = f"http://127.0.0.1:{port}"
serve = [TOKEN_SERVICE, *DATABASE, "--listen", f"127.0.0.1:{port}", "--issuer", issuer]
discover = [WHOAMI, "--listen", "127.0.0.1:0", "--issuer", issuer, "--audience", issuer, "--discover"]
with Server(serve) as service, Server(discover) as whoami:
    tokens, refused, counted = [], [], [0]
    stop = threading.Event()

    def requests():
        while not stop.is_set():
            token = token_of(service.addresses[0])
            tokens.append(token)
            # The new one, and one of any time before.
            for shown in (token, tokens[len(tokens) * 7919 % len(tokens)], tokens[0]):
                status = show(whoami.addresses[0], shown)
                counted[0] += 1
                if status != 200:
                    refused.append((status, kid(shown)))
            time.sleep(0.05)

    threads = [threading.Thread(target=requests) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(ROTATIONS):
        command("keys", "rotate", "--after", str(PUBLISHED))
        time.sleep(INTERVAL)
    stop.set()
    for thread in threads:
        thread.join()
    kids = {kid(token) for token in tokens}
    checks.equal(refused, [], f"refusals of {counted[0]} requests")
    checks.equal(len(kids), ROTATIONS + 1, "keys that have signed")
    checks.that(counted[0] > 100, "requests", counted[0])

    # A key that has leaked.
    command("keys", "rotate", "--revoke-others")
    # The service reads its keys every two seconds.
    end = time.monotonic() + 20
    while kid(fresh := token_of(service.addresses[0])) in kids and time.monotonic() < end:
        time.sleep(0.2)
    checks.that(kid(fresh) not in kids, "a new key signs at once", kid(fresh))
    with Server(discover) as anew:
        checks.equal(show(anew.addresses[0], fresh), 200, "its token")
        checks.equal(show(anew.addresses[0], tokens[-1]), 401, "a token of a removed key")
    checks.equal(
        curl(service.addresses[0], f"Authorization: Bearer {tokens[-1]}", path="/protected").status, 401,
        "a token of a removed key, at the service")
print(f"{counted[0]} requests while {ROTATIONS} keys were rotated")
checks.end("rotation of the token service")
