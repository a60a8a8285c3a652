"""The token service of run_kill9.py: one instance on SQLite, or two on PostgreSQL."""
import base64
import collections
import os
import random
import shutil
import time
from pathlib import Path

from instances import Fault, Instance, Lost, Postgres, Refused, administer, request

START_LIMIT = 5.0
USERS = 4
PASSWORD = "correct horse"


class Sqlite:
    """A database in a file, which can be set back."""

    instances = 1

    def __init__(self, folder):
        self.file = os.path.join(folder, "service.db")
        self.url = f"sqlite:{self.file}"
        self.copied = {}

    def files(self):
        names = [self.file + suffix for suffix in ("", "-wal", "-shm")]
        return [name for name in names if os.path.exists(name)]

    def copy(self):
        self.copied = {name: name + ".copy" for name in self.files()}
        for source, copy in self.copied.items():
            shutil.copy(source, copy)

    def set_back(self):
        for name in self.files():
            os.remove(name)
        for source, copy in self.copied.items():
            shutil.copy(copy, source)

    def stop(self):
        pass


class PostgresDatabase(Postgres):
    """The same in PostgreSQL, whose server can be killed too."""

    instances = 2

    def __init__(self, programs, folder):
        super().__init__(programs, folder)
        self.url = self.make_database("kill9")


class Service:
    """The instances, and requests to any of them."""

    def __init__(self, program, database, folder):
        self.program, self.database = program, database
        # The answer of a request may be lost and asked for again a while later.
        flags = ["--refresh-grace", "600", "--requests-per-second", "0"]
        self.instances = []
        for number in range(database.instances):
            issuer = self.instances[0].issuer if self.instances else None
            log = Path(folder, f"log-{number}")
            self.instances.append(Instance(program, database.url, log, issuer, flags))
        self.starts, self.counts = [], collections.Counter()
        self.longest, self.start_limit = 0, START_LIMIT
        self.client = None
        self.kills = 0

    def prepare(self):
        for number in range(USERS):
            administer(self.program, self.database.url, "user", "add", f"user{number}", text=PASSWORD)
        words = ["client", "add", "--id", "job", "--name", "Job", "--grant", "client_credentials", "--scope", "read"]
        secret = administer(self.program, self.database.url, *words).split("client_secret: ")[1].strip()
        self.client = "Basic " + base64.b64encode(f"job:{secret}".encode()).decode()

    def start(self, instance):
        self.starts.append(instance.start(self.start_limit))

    def kill(self, *instances):
        for instance in instances:
            instance.kill()
            self.kills += 1

    def send(self, method, path, form=None, headers=None):
        """One request to any instance. One without a connection has not happened, so another instance gets it."""
        instances = random.sample(self.instances, len(self.instances))
        for instance in instances:
            try:
                return self.send_to(instance, method, path, form, headers)
            except Refused:
                self.counts["connections refused"] += 1
        raise Lost("no instance runs")

    def send_to(self, instance, method, path, form=None, headers=None):
        begin = time.monotonic()
        try:
            answer = request(instance.port, method, path, form, headers)
        finally:
            # Also if there is none: a service that hangs is found out.
            self.longest = max(self.longest, time.monotonic() - begin)
        self.counts["requests"] += 1
        if answer.status == 503:
            self.counts["answers 503"] += 1
            raise Lost("503")
        if answer.status >= 500:
            raise Fault(f"{method} {path}: {answer.status} {answer.body!r}")
        return answer.status, answer.json()

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

    def keys(self, instance):
        return sorted(key["kid"] for key in self.send_to(instance, "GET", "/jwks.json")[1]["keys"])

    def check(self, instance, keys, token):
        """What an instance must have kept. It may need a moment to notice that PostgreSQL was gone."""
        end = time.monotonic() + self.start_limit
        while True:
            try:
                return self.check_once(instance, keys, token)
            except Lost as lost:
                if time.monotonic() > end:
                    raise Fault(f"it does not serve {self.start_limit:.0f} s after it was ready: {lost}") from None
                time.sleep(0.02)

    def check_once(self, instance, keys, token):
        if self.keys(instance) != keys:
            raise Fault("the keys have changed")
        status, _ = self.send_to(instance, "GET", "/protected", headers={"authorization": f"Bearer {token}"})
        if status != 200:
            raise Fault("a token of before is refused")
