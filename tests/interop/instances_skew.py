"""Two instances whose clocks differ by 60 seconds, the leeway of the service, on one PostgreSQL: they behave as one.

One clock is 30 seconds ahead of that of PostgreSQL and of the verifier, the other one 30 seconds behind.
"""
import base64
import json
import threading
import time
from pathlib import Path

from harness import Server
from instances import Fault, Instance, administer, request
from instances_load import PASSWORD, Door, Unexpected, Worker

AHEAD = 30
GRACE = 4
GUESSES = 10
# What must have succeeded at least once.
CHECKS = (
    "same successor by the other instance",
    "reuses seen by the other instance",
    "guesses counted by both",
    "tokens verified",
)


def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class Skewed(threading.Thread):
    """Runs until it is told to stop, and for one round at least."""

    def __init__(self, options, database, folder, record):
        super().__init__(daemon=True)
        self.options, self.database, self.folder, self.record = options, database, folder, record
        self.stopping = False
        self.instances = []

    def administer(self, *arguments, text=""):
        return administer(self.options.program, self.database, *arguments, text=text)

    def run(self):
        try:
            self.prepare()
            issuer = self.instances[0].issuer
            command = [self.options.whoami, "--listen", "127.0.0.1:0", "--discover"]
            with Server([*command, "--issuer", issuer, "--audience", issuer]) as whoami:
                self.serve(int(whoami.addresses[0].rsplit(":", 1)[1]))
        except (Fault, SystemExit, RuntimeError, Unexpected) as fault:
            self.record.fault(str(fault))
        except Exception as error:
            self.record.fault(repr(error))
        finally:
            for instance in self.instances:
                instance.kill()

    def prepare(self):
        for user in ("alice", "bob", "carol"):
            self.administer("user", "add", user, text=PASSWORD)
        words = ["client", "add", "--id", "job", "--name", "Job", "--grant", "client_credentials", "--scope", "read"]
        secret = self.administer(*words).split("client_secret: ")[1].strip()
        self.client = "Basic " + base64.b64encode(f"job:{secret}".encode()).decode()
        flags = ["--refresh-grace", str(GRACE), "--requests-per-second", "0"]
        for seconds in (AHEAD, -AHEAD):
            # Timers keep their pace.
            clock = {"LD_PRELOAD": self.options.faketime, "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            issuer = self.instances[0].issuer if self.instances else None
            log = Path(self.folder, f"skew-{len(self.instances)}")
            self.instances.append(Instance(self.options.program, self.database, log, issuer, flags, clock))
            self.instances[-1].start(30)

    def serve(self, verifier):
        end = time.monotonic() + 10
        while request(verifier, "GET", "/readyz").status != 200 and time.monotonic() < end:
            time.sleep(0.05)
        ports = [instance.port for instance in self.instances]
        doors = [Door([port], self.client) for port in ports]
        self.check_clocks(doors)
        # The instance that is ahead signs with it at once, and the other one a minute later.
        self.administer("keys", "rotate", "--after", str(AHEAD + 6))
        worker = Worker(self.record, Door(ports, self.client), verifier, "alice", self.options.pause, GRACE)
        worker.start()
        self.check_guesses(doors)
        while not self.stopping:
            self.check_grace(*doors)
            doors.reverse()
        if len(self.record.kids) < 2:
            self.record.fault("the new key has not signed")
        worker.stopping = True
        worker.join(60)
        if worker.is_alive():
            self.record.fault("its load does not end")

    def log_in(self, door):
        answer = door.token(grant_type="password", username="bob", password=PASSWORD)
        if answer.status != 200:
            raise Unexpected(f"a login: {answer.status} {answer.body!r}")
        return answer.json()

    def check_clocks(self, doors):
        ahead, behind = (claims(self.log_in(door)["access_token"])["iat"] for door in doors)
        if not 2 * AHEAD - 5 <= ahead - behind <= 2 * AHEAD:
            raise Unexpected(f"the clocks differ by {ahead - behind} s")

    def check_grace(self, first, second):
        """The grace is by the clock of PostgreSQL: the other instance's makes it neither longer nor shorter."""
        token = self.log_in(second)["refresh_token"]
        begin = time.monotonic()
        form = {"grant_type": "refresh_token", "refresh_token": token}
        successor = first.token(**form)
        again = second.token(**form)
        # It counts in whole seconds, as far as PostgreSQL's clock is known.
        if time.monotonic() < begin + GRACE - 2:
            if (successor.status, again.status) != (200, 200):
                raise Unexpected(f"within the grace: {successor.status} {again.status} {again.body!r}")
            if successor.json()["refresh_token"] != again.json()["refresh_token"]:
                raise Unexpected("another instance gives another successor")
            self.record.counts["same successor by the other instance"] += 1
        time.sleep(max(0, begin + GRACE + 3 - time.monotonic()))
        late = second.token(**form)
        if late.status != 400:
            raise Unexpected(f"after the grace: {late.status}")
        last = first.token(grant_type="refresh_token", refresh_token=successor.json()["refresh_token"])
        if last.status != 400:
            raise Unexpected("a reuse does not revoke the grant at the other instance")
        self.record.counts["reuses seen by the other instance"] += 1

    def check_guesses(self, doors):
        """Wrong passwords count at both."""
        begin = time.monotonic()
        statuses = [doors[n % 2].token(grant_type="password", username="carol", password="x").status for n in range(16)]
        more = (time.monotonic() - begin) / 6 + 2
        wrong = len([status for status in statuses if status != 429])
        if not GUESSES <= wrong <= GUESSES + more or 429 not in statuses:
            raise Unexpected(f"of 16 guesses, {wrong} were checked: {statuses}")
        self.record.counts["guesses counted by both"] += 16
