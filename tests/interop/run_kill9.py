"""Kills the token service under load, starts it again, and checks what it has acknowledged.

Threads log in, refresh, revoke and introspect. Each keeps a record of the answers that it got, and of nothing else: a
request whose answer was lost may have happened or not. After each start:

- the last refresh token of each family works, or gives the successor that it gave before;
- a family or an access token that was revoked stays revoked;
- the keys are those of before, and tokens of before are good;
- the service is ready within 5 seconds.

    run_kill9.py PROGRAM [--seconds N] [--threads N] [--seed N] [--set-back]

With --set-back the database is set back to an older state once: the run succeeds if the checks find that.
"""

import argparse
import base64
import collections
import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

START_LIMIT = 5.0
USERS = 4
PASSWORD = "correct horse"


class Lost(Exception):
    """There was no answer, so the request may have happened or not."""


class Fault(Exception):
    """The service does not keep what it has promised."""


class Service:
    """The program, and requests to it."""

    def __init__(self, program, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.file = os.path.join(folder, "service.db")
        self.log = os.path.join(folder, "log")
        self.base = [program, "--database", f"sqlite:{self.file}"]
        self.starts, self.counts = [], collections.Counter()
        self.client = self.process = None
        self.kills = 0

    def administer(self, *arguments, text=""):
        done = subprocess.run(self.base + list(arguments), input=text, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{arguments}: {done.stderr}")
        return done.stdout

    def prepare(self):
        for number in range(USERS):
            self.administer("user", "add", f"user{number}", text=PASSWORD)
        added = self.administer(
            "client", "add", "--id", "job", "--name", "Job", "--grant", "client_credentials", "--scope", "read"
        )
        secret = added.split("client_secret: ")[1].strip()
        self.client = "Basic " + base64.b64encode(f"job:{secret}".encode()).decode()

    def start(self):
        begin = time.monotonic()
        flags = ["--listen", f"127.0.0.1:{self.port}", "--issuer", self.issuer]
        # The answer of a request may be lost and asked for again a while later.
        flags += ["--refresh-grace", "600", "--requests-per-second", "0"]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.base + flags, stdout=log, stderr=log)
        while True:
            try:
                if self.send("GET", "/readyz")[0] == 200:
                    break
            except Lost:
                pass
            if self.process.poll() is not None:
                raise Fault(f"it does not start:\n{open(self.log).read()[-2000:]}")
            if time.monotonic() - begin > 30:
                raise Fault("it is not ready after 30 s")
            time.sleep(0.01)
        taken = time.monotonic() - begin
        self.starts.append(taken)
        if taken > START_LIMIT:
            raise Fault(f"a start took {taken:.1f} s")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def send(self, method, path, form=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = dict(headers or {})
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["content-type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Lost(str(error)) from None
        finally:
            connection.close()
        self.counts["requests"] += 1
        if answer.status == 503 and path != "/readyz":
            self.counts["answers 503"] += 1
            raise Lost("503")
        if answer.status >= 500 and path != "/readyz":
            raise Fault(f"{method} {path}: {answer.status} {text!r}")
        return answer.status, json.loads(text) if text else {}

    def token(self, **form):
        return self.send("POST", "/token", form)

    def machine_token(self):
        return self.send("POST", "/token", {"grant_type": "client_credentials"}, {"authorization": self.client})

    def is_active(self, token):
        status, answer = self.send("POST", "/introspect", {"token": token}, {"authorization": self.client})
        if status != 200:
            raise Fault(f"/introspect: {status} {answer}")
        return answer["active"]

    def protected(self, token):
        return self.send("GET", "/protected", headers={"authorization": f"Bearer {token}"})[0]

    def keys(self):
        return sorted(key["kid"] for key in self.send("GET", "/jwks.json")[1]["keys"])


class Family:
    """The last refresh tokens of one grant. Whether the last one is unused is not known after a lost answer."""

    def __init__(self, token):
        self.tokens, self.is_unused = [token], True


class Worker(threading.Thread):
    """One thread with families of refresh tokens of its own."""

    def __init__(self, service, number, random_numbers, up, faults):
        super().__init__(daemon=True)
        self.service, self.number, self.random = service, number, random_numbers
        self.up, self.faults, self.stopping = up, faults, False
        self.families = []
        self.revoked_families, self.revoked_tokens, self.tokens = [], [], []

    def run(self):
        while not self.stopping:
            self.up.wait()
            try:
                self.step()
            except Lost:
                self.service.counts["answers lost"] += 1
                time.sleep(0.02)
            except Fault as fault:
                self.faults.append(f"thread {self.number}: {fault}")
                return

    def step(self):
        if len(self.families) < 3:
            return self.log_in()
        action = self.random.random()
        if action < 0.60:
            self.refresh(self.random.choice(self.families))
        elif action < 0.72:
            self.repeat(self.random.choice(self.families))
        elif action < 0.78:
            self.revoke_family()
        elif action < 0.84:
            self.revoke_token()
        elif action < 0.90:
            self.get_machine_token()
        else:
            self.check_one()

    def log_in(self):
        user = f"user{self.number % USERS}"
        status, answer = self.service.token(grant_type="password", username=user, password=PASSWORD)
        if status != 200 or "refresh_token" not in answer:
            raise Fault(f"a login: {status} {answer}")
        self.families.append(Family(answer["refresh_token"]))
        self.service.counts["logins"] += 1

    def refresh(self, family):
        family.is_unused = False
        status, answer = self.service.token(grant_type="refresh_token", refresh_token=family.tokens[-1])
        if status != 200:
            raise Fault(f"an acknowledged refresh token is refused: {answer.get('error_description')}")
        family.tokens = [family.tokens[-1], answer["refresh_token"]]
        family.is_unused = True
        self.tokens = (self.tokens + [answer["access_token"]])[-20:]
        self.service.counts["rotations"] += 1

    def repeat(self, family):
        """The predecessor gives the same successor, as long as that is unused."""
        if len(family.tokens) < 2 or not family.is_unused:
            return
        status, answer = self.service.token(grant_type="refresh_token", refresh_token=family.tokens[-2])
        if status != 200 or answer["refresh_token"] != family.tokens[-1]:
            raise Fault(f"a predecessor does not give the same successor: {status} {answer.get('error')}")
        self.service.counts["same successor again"] += 1

    def revoke_family(self):
        family = self.families.pop(self.random.randrange(len(self.families)))
        # If this answer is lost, nothing is known about the family.
        status, answer = self.service.send("POST", "/revoke", {"token": family.tokens[-1]})
        if status != 200:
            raise Fault(f"/revoke: {status} {answer}")
        self.revoked_families.append(family)
        self.service.counts["families revoked"] += 1

    def revoke_token(self):
        if not self.tokens:
            return
        token = self.tokens.pop()
        status, answer = self.service.send("POST", "/revoke", {"token": token})
        if status != 200:
            raise Fault(f"/revoke: {status} {answer}")
        self.revoked_tokens.append(token)
        self.service.counts["access tokens revoked"] += 1

    def get_machine_token(self):
        status, answer = self.service.machine_token()
        if status != 200:
            raise Fault(f"client credentials: {status} {answer}")
        self.service.counts["client credentials"] += 1
        if self.service.protected(answer["access_token"]) != 200:
            raise Fault("a new token is refused")

    def check_one(self):
        if self.revoked_families and self.random.random() < 0.5:
            self.check_family(self.random.choice(self.revoked_families))
        elif self.revoked_tokens:
            self.check_token(self.random.choice(self.revoked_tokens))

    def check_family(self, family):
        for token in family.tokens:
            status, answer = self.service.token(grant_type="refresh_token", refresh_token=token)
            if status != 400 or answer.get("error") != "invalid_grant":
                raise Fault(f"a revoked family is revived: {status} {answer.get('error')}")
        self.service.counts["checks of what is revoked"] += 1

    def check_token(self, token):
        if self.service.is_active(token):
            raise Fault("a revoked access token is revived")
        self.service.counts["checks of what is revoked"] += 1

    def check_all(self):
        """At the end, with the service up."""
        for family in self.families:
            self.repeat(family)
            self.refresh(family)
        for family in self.revoked_families:
            self.check_family(family)
        for token in self.revoked_tokens:
            self.check_token(token)


def load(service, options, faults):
    """Runs the threads, and kills the service again and again."""
    service.start()
    keys = service.keys()
    status, first = service.machine_token()
    if status != 200:
        raise Fault(f"client credentials: {status} {first}")
    up = threading.Event()
    up.set()
    numbers = random.Random(options.seed)
    workers = [
        Worker(service, number, random.Random(numbers.random()), up, faults) for number in range(options.threads)
    ]
    for worker in workers:
        worker.start()
    end, copied = time.monotonic() + options.seconds, None
    while not faults and (time.monotonic() < end or options.set_back and service.kills < 6):
        time.sleep(numbers.uniform(0.05, 2.0))
        service.kill()
        up.clear()
        service.kills += 1
        if options.set_back:
            copied = set_back(service.file, copied, service.kills)
        service.start()
        if service.keys() != keys:
            raise Fault("the keys have changed")
        if service.protected(first["access_token"]) != 200:
            raise Fault("a token of before is refused")
        up.set()
    for worker in workers:
        worker.stopping = True
    for worker in workers:
        worker.join(30)
    for worker in workers:
        if not faults:
            worker.check_all()


def set_back(file, copied, kills):
    """Copies the database at the second kill, and sets it back to that at the fourth."""
    files = [file + suffix for suffix in ("", "-wal", "-shm")]
    if kills == 2:
        copied = {one: one + ".copy" for one in files if os.path.exists(one)}
        for source, copy in copied.items():
            shutil.copy(source, copy)
    elif kills == 4:
        for one in files:
            if os.path.exists(one):
                os.remove(one)
        for source, copy in copied.items():
            shutil.copy(copy, source)
    return copied


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--set-back", action="store_true")
    options = parser.parse_args()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        service = Service(options.program, folder)
        service.prepare()
        try:
            load(service, options, faults)
        except Fault as fault:
            faults.append(str(fault))
        finally:
            if service.process:
                service.kill()
    if options.set_back:
        if not faults:
            sys.exit("a database that was set back is not noticed")
        print(f"a database that was set back is noticed: {faults[0]}")
        return
    print(f"seed {options.seed}, {options.threads} threads, {options.seconds:.0f} s: {service.kills} kills")
    for name, number in sorted(service.counts.items()):
        print(f"{number:8d}  {name}")
    starts = service.starts
    print(f"starts: median {statistics.median(starts):.2f} s, longest {max(starts):.2f} s (at most {START_LIMIT:.0f} s)")
    if faults:
        sys.exit("\n".join(faults))
    print("nothing that was acknowledged is lost, and nothing that was revoked is revived")


if __name__ == "__main__":
    main()
