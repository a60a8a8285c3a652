"""Instances of the token service, and their database: started, stopped and killed, in PostgreSQL's case too."""
import contextlib
import http.client
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from pathlib import Path


DRAWN = set()
# How long a command of the administration may take.
COMMAND = 120


def free_port():
    """A port that stays free: the system gives none of these to connections, and each is drawn once."""
    while True:
        port = random.SystemRandom().randint(20000, 29999)
        if port in DRAWN:
            continue
        DRAWN.add(port)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Lost(Exception):
    """There was no answer, so the request may have happened or not."""


class Refused(Exception):
    """There was no connection, so the request has not happened."""


class Fault(Exception):
    """The service does not keep what it has promised."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body) if self.body else {}


def request(port, method, path, form=None, headers=None, connection=None):
    """One request. On its own connection, unless one is given."""
    used = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers, body = dict(headers or {}), None
    if form is not None:
        body = urllib.parse.urlencode(form)
        headers["content-type"] = "application/x-www-form-urlencoded"
    try:
        if used.sock is None:
            used.connect()
    except ConnectionRefusedError as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Lost(str(error)) from None
    try:
        used.request(method, path, body, headers)
        answer = used.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    except (OSError, http.client.HTTPException) as error:
        used.close()
        raise Lost(f"{type(error).__name__}: {error}") from None
    finally:
        if connection is None:
            used.close()


def administer(program, database, *arguments, text=""):
    """A command of the administration. Returns what it prints."""
    command = [program, "--database", database, *arguments]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=COMMAND)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{arguments}: it did not end within {COMMAND} s") from None
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr}")
    return done.stdout


class Instance:
    """One process, at a port of its own, also when it starts again."""

    def __init__(self, program, database, log, issuer=None, flags=(), env=None):
        self.program, self.database, self.log = program, database, log
        self.port = free_port()
        self.issuer = issuer or f"http://127.0.0.1:{self.port}"
        self.flags, self.env = list(flags), {**os.environ, **(env or {})}
        self.process = None

    def start(self, ready_within):
        """Starts it. Returns how long it took until it was ready."""
        begin = time.monotonic()
        command = [self.program, "--database", self.database, "--listen", f"127.0.0.1:{self.port}"]
        command += ["--issuer", self.issuer, *self.flags]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        return self.wait_until_ready(ready_within, begin)

    def wait_until_ready(self, within, begin=None):
        begin = begin or time.monotonic()
        while not self.is_ready():
            if self.process.poll() is not None:
                raise Fault(f"it does not start: {Path(self.log).read_text()[-2000:]}")
            if time.monotonic() - begin > within + 25:
                raise Fault(f"it is not ready after {within + 25:.0f} s")
            time.sleep(0.01)
        taken = time.monotonic() - begin
        if taken > within:
            raise Fault(f"it was ready after {taken:.1f} s only")
        return taken

    def is_ready(self):
        with contextlib.suppress(Lost, Refused):
            return request(self.port, "GET", "/readyz").status == 200
        return False

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self, within):
        """Ends it by SIGTERM. Returns its status."""
        self.terminate()
        return self.process.wait(within)

    def kill(self):
        if self.runs():
            self.process.kill()
        if self.process is not None:
            self.process.wait()


class Postgres:
    """A server with its data in a folder. It does not run as root."""

    def __init__(self, programs, folder):
        self.programs, self.data, self.port = Path(programs), Path(folder, "data"), free_port()
        self.log = Path(folder, "postgres.log")
        self.user = {}
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            self.user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            Path(folder).chmod(0o755)
        self.data.mkdir()
        if self.user:
            os.chown(self.data, self.user["user"], self.user["group"])
        make = [self.programs / "initdb", "-D", self.data, "-A", "trust", "-U", "service", "-E", "UTF8", "--no-locale"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd="/", **self.user)
        self.process = None
        self.start()

    def url_of(self, database="postgres"):
        return f"postgres://service@127.0.0.1:{self.port}/{database}"

    def start(self):
        """Starts it, and waits until it has recovered. It refuses a start while processes of the last one still end."""
        command = [self.programs / "postgres", "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1", "-k", ""]
        # No test cuts the power, and a busy disk would make requests wait past their limits.
        command += ["-c", "fsync=off"]
        end = time.monotonic() + 30
        while True:
            if self.process is None or self.process.poll() is not None:
                with open(self.log, "a") as log:
                    self.process = subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **self.user)
            if self.answers():
                return
            if time.monotonic() > end:
                raise SystemExit(f"PostgreSQL does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def answers(self):
        return self.run("SELECT 1", check=False).returncode == 0

    def run(self, statement, database="postgres", check=True):
        command = [self.programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url_of(database)]
        return subprocess.run(command, check=check, capture_output=True, text=True)

    def make_database(self, name):
        self.run(f"CREATE DATABASE {name}")
        return self.url_of(name)

    def kill(self):
        """Kills the server: its other processes notice, and end."""
        self.process.kill()
        self.process.wait()

    def kill_backend(self):
        """Kills the process of one connection: the server ends all others, and recovers."""
        statement = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        backends = self.run(statement, check=False).stdout.split()
        if backends:
            os.kill(int(random.choice(backends)), signal.SIGKILL)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def copy(self):
        """Copies the data of a server that was killed."""
        self.copied = self.data.with_name("copy")
        subprocess.run(["cp", "-a", self.data, self.copied], check=True)

    def set_back(self):
        """Sets the data of a server that was killed back to the copy."""
        shutil.rmtree(self.data)
        self.copied.rename(self.data)
