"""Instances of the token service side by side, under a constant load of good requests, none of which may be refused.

HAProxy sends each request to any instance. Threads log in, refresh, revoke, introspect, show tokens to a verifier in
another process (whoami, by discovery), and check each answer. Meanwhile:

- instances of the version before the newest migration run, and one of this version starts beside them and migrates;
- the others are upgraded one by one; then the older version is started again on the migrated database;
- each instance is stopped by SIGTERM and started again;
- the signing keys are rotated again and again.

Then what one instance revokes is refused by another one in the very next request. Beside all that, two instances with
clocks 60 seconds apart behave as one (instances_skew.py).

    run_instances.py TOKEN_SERVICE WHOAMI --postgres FOLDER [--older PROGRAM] [--rollback works|refused] [--faketime FILE]
                     [--seconds N] [--drain SECONDS] [--after SECONDS]

FOLDER has PostgreSQL's programs. Without --older there is no other version. --drain and --after are that of the service
and of `keys rotate`: with 0 the run must fail.
"""
import argparse
import base64
import itertools
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness import Server
from instances import COMMAND, Fault, Instance, Postgres, administer, request
from instances_load import PASSWORD, Door, Record, Worker
from instances_skew import CHECKS, Skewed
from proxy import Proxy

THREADS = 4
# Much more than it takes: a busy machine is no fault.
READY = 30.0


class Fleet:
    """Three instances behind the proxy, each at its port, of this version or the older one."""

    def __init__(self, options, database, folder, record):
        self.options, self.database, self.folder, self.record = options, database, folder, record
        self.newest = self.program = options.older or options.program
        self.slots = [Instance(self.program, database, Path(folder, f"log-{number}")) for number in range(3)]
        self.proxy = Proxy(folder, [slot.port for slot in self.slots])
        for slot in self.slots:
            slot.issuer = self.proxy.url
        self.starts = []

    def administer(self, *arguments, text=""):
        return administer(self.newest, self.database, *arguments, text=text)

    def start(self, slot, program):
        slot.program = program
        slot.flags = ["--requests-per-second", "0", "--trusted-proxy", "127.0.0.1"]
        if self.drains(program):
            slot.flags += ["--drain", str(self.options.drain)]
        self.starts.append(slot.start(READY))
        self.proxy.wait_until(slot.port, up=True)
        time.sleep(self.options.seconds)

    def drains(self, program):
        return program == self.options.program or self.options.older_drains

    def stop(self, slot):
        drains = self.drains(slot.program)
        if not drains:
            self.proxy.take_out(slot.port)
        status = slot.stop(self.options.drain + 10)
        if status != 0:
            raise Fault(f"an instance ended with {status}")
        self.proxy.wait_until(slot.port, up=False)
        if not drains:
            self.proxy.put_in(slot.port)

    def upgrade(self):
        """From the older version to this one, and back."""
        new, old = self.options.program, self.options.older
        a, b, c = self.slots
        self.record.phase = "this version beside the older one"
        self.newest = new
        self.start(c, new)
        for number, slot in enumerate((a, b), 1):
            self.record.phase = f"upgrade {number}"
            self.stop(slot)
            self.start(slot, new)
        self.record.phase = "the older version again"
        self.stop(c)
        if self.options.rollback == "works":
            self.start(c, old)
            self.stop(c)
        else:
            try:
                self.start(c, old)
            except Fault as refusal:
                if "newer version" not in str(refusal):
                    raise
            else:
                raise Fault("the older version starts again, although it does not know how")
        self.start(c, new)

    def restart(self):
        for number, slot in enumerate(self.slots, 1):
            self.record.phase = f"restart {number}"
            self.stop(slot)
            self.start(slot, self.options.program)

    def close(self):
        for slot in self.slots:
            slot.kill()
        self.proxy.stop()


def rotate(fleet, stop, rotations):
    """Rotates the keys again and again. A verifier asks for keys at most every few seconds."""
    while not stop.wait(interval(fleet.options)):
        try:
            fleet.administer("keys", "rotate", "--after", str(fleet.options.after))
            rotations.append(time.monotonic())
        except (SystemExit, Exception) as failed:
            fleet.record.fault(f"keys rotate: {failed}")


def interval(options):
    """Between two rotations. A key stays published for as long as its tokens live, and there may be 50: longer steps have
    fewer rotations."""
    return max(8, options.seconds / 2)


def end_all(record, threads, within=60):
    """Each thread must end."""
    for thread in threads:
        thread.join(within)
        if thread.is_alive():
            record.fault(f"{thread.name} does not end")


def revocations(fleet, client, user):
    """What one instance revokes, another one refuses in the very next request: for each way and each pair."""
    record = fleet.record
    record.phase = "revocations"
    doors = {slot.port: Door([slot.port], client) for slot in fleet.slots}
    for by, at in itertools.permutations(doors, 2):
        for revoked, shown in itertools.product(("access_token", "refresh_token"), ("/protected", "/introspect", "/token")):
            if (revoked, shown) == ("access_token", "/token"):
                continue
            answer = doors[at].token(grant_type="password", username=user, password=PASSWORD).json()
            status = doors[by].send("POST", "/revoke", {"token": answer[revoked]}).status
            if status != 200:
                record.fault(f"/revoke: {status}")
            if shown == "/protected":
                headers = {"authorization": f"Bearer {answer['access_token']}"}
                refused = doors[at].send("GET", shown, headers=headers).status == 401
            elif shown == "/introspect":
                refused = not doors[at].as_client(shown, token=answer["access_token"]).json()["active"]
            else:
                form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
                refused = doors[at].token(**form).status == 400
            record.counts["revocations seen by another instance"] += 1
            if not refused:
                record.fault(f"{shown} of another instance does not know of the revocation of a {revoked}")


def run(options, postgres, folder, record):
    fleet = Fleet(options, postgres.make_database("fleet"), folder, record)
    stop, rotations, workers, rotating = threading.Event(), [], [], None
    try:
        users = [f"user{number}" for number in range(THREADS + 1)]
        for user in users:
            fleet.administer("user", "add", user, text=PASSWORD)
        added = fleet.administer(
            "client", "add", "--id", "job", "--name", "Job", "--grant", "client_credentials", "--scope", "read")
        secret = added.split("client_secret: ")[1].strip()
        client = "Basic " + base64.b64encode(f"job:{secret}".encode()).decode()
        for slot in fleet.slots[:2] if options.older else fleet.slots:
            fleet.start(slot, fleet.program)
        command = [options.whoami, "--listen", "127.0.0.1:0", "--discover"]
        command += ["--issuer", fleet.proxy.url, "--audience", fleet.proxy.url]
        with Server(command) as whoami:
            verifier = int(whoami.addresses[0].rsplit(":", 1)[1])
            end = time.monotonic() + 10
            while request(verifier, "GET", "/readyz").status != 200 and time.monotonic() < end:
                time.sleep(0.05)
            for user in users[:THREADS]:
                workers.append(Worker(record, Door([fleet.proxy.port], client), verifier, user, options.pause))
                workers[-1].start()
            rotating = threading.Thread(target=rotate, args=(fleet, stop, rotations), daemon=True)
            rotating.start()
            time.sleep(options.seconds)
            if options.older:
                fleet.upgrade()
            fleet.restart()
            revocations(fleet, client, users[-1])
            record.phase = "the end"
            end = time.monotonic() + 5 * interval(options) + options.after + 60
            while len(rotations) < 4 or time.monotonic() < rotations[-1] + options.after + 3:
                if time.monotonic() > end:
                    raise Fault(f"there were only {len(rotations)} rotations")
                time.sleep(0.1)
            stop.set()
            for worker in workers:
                worker.stopping = True
            end_all(record, workers)
        if len(record.kids) < 4:
            record.fault(f"only {len(record.kids)} keys have signed after {len(rotations)} rotations")
        for name in ("log_in", "refresh", "machine", "introspect", "protected", "verify", "revoke", "repeat"):
            if not record.counts[name]:
                record.fault(f"there was no good {name}")
    except Fault as fault:
        record.fault(str(fault))
    finally:
        stop.set()
        for worker in workers:
            worker.stopping = True
        if rotating:
            end_all(record, [rotating], COMMAND + 30)
        fleet.close()
    print(f"{len(rotations)} rotations of the keys, {len(record.kids)} keys have signed, {len(fleet.starts)} starts, "
          f"the longest took {max(fleet.starts, default=0):.2f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("whoami")
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--older")
    parser.add_argument("--rollback", choices=["works", "refused"], default="works")
    parser.add_argument("--faketime")
    parser.add_argument("--seconds", type=float, default=1, help="how long each step lasts")
    parser.add_argument("--pause", type=float, default=0.02, help="between the requests of a thread")
    parser.add_argument("--drain", type=int, default=1)
    parser.add_argument("--after", type=int, default=5)
    options = parser.parse_args()
    if options.faketime is not None and not Path(options.faketime).is_file():
        parser.error(f"--faketime: there is no file {options.faketime!r}")
    options.older_drains = False
    if options.older:
        said = subprocess.run([options.older, "--help"], capture_output=True, text=True).stdout
        options.older_drains = "--drain" in said
    record, skew = Record(), Record()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "postgres").mkdir()
        Path(folder).chmod(0o755)
        postgres = Postgres(options.postgres, Path(folder, "postgres"))
        skewed = None
        try:
            if options.faketime:
                skewed = Skewed(options, postgres.make_database("skew"), folder, skew)
                skewed.start()
            run(options, postgres, folder, record)
        finally:
            if skewed:
                skewed.stopping = True
                end_all(skew, [skewed], 120)
            postgres.stop()
    if options.faketime:
        for name in CHECKS:
            if not skew.counts[name]:
                skew.fault(f"there was no good check: {name}")
    faults = record.faults + skew.faults
    for title, one in (("good requests", record), ("with clocks that differ", skew)):
        print(f"{title}:")
        for name, number in sorted(one.counts.items()):
            print(f"{number:8d}  {name}")
    for fault in faults[:30]:
        print(f"FAILED {fault}"[:600])
    if faults:
        sys.exit(f"{len(faults)} good requests or checks failed")
    print("no good request was refused")


if __name__ == "__main__":
    main()
