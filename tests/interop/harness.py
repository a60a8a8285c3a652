"""What the runs share: counted checks, a server in the background, requests by curl."""
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time


class Checks:
    """Counts what holds and keeps what does not."""

    def __init__(self):
        self.passed = 0
        self.failures = []

    def that(self, holds, what, seen=""):
        if holds:
            self.passed += 1
        else:
            self.failures.append(f"{what}: {seen!r}" if seen != "" else what)
        return holds

    def equal(self, seen, wanted, what):
        return self.that(seen == wanted, f"{what}: wanted {wanted!r}, saw {seen!r}")

    def end(self, what):
        """Says what does not hold, and ends the program: with 1 if there was anything."""
        for failure in self.failures:
            print(f"FAILED {failure}"[:600])
        print(f"{what}: {self.passed} passed, {len(self.failures)} failed")
        sys.exit(1 if self.failures else 0)


class Server:
    """A program that says where it listens; `with Server([...]) as server`."""

    def __init__(self, command, lines=("listening on ",), seconds=10, env=None):
        self.command, self.lines, self.seconds = command, lines, seconds
        self.env = {**os.environ, **(env or {})}
        self.addresses = []
        self.status = None
        self.errors = ""

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env
        )
        try:
            found = self._read_addresses()
        except BaseException:
            self.process.kill()
            raise
        self.addresses = [found[line].removeprefix("http://") for line in self.lines]
        return self

    def _read_addresses(self):
        found, text, end = {}, b"", time.monotonic() + self.seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while len(found) < len(self.lines):
                left = end - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise RuntimeError(f"{self.command}: no line {self.lines} in {self.seconds} s")
                octets = self.process.stdout.read1()
                if not octets:
                    error = self.process.stderr.read().decode()
                    raise RuntimeError(f"{self.command} ended: {error}")
                text += octets
                for line in text.decode().splitlines():
                    for start in self.lines:
                        if re.fullmatch(re.escape(start) + r"http://\S+:\d+", line):
                            found[start] = line.removeprefix(start)
        return found

    def stop(self, by=signal.SIGTERM, seconds=10):
        """Ends it; the exit status, or None when it had to be killed."""
        if self.status is None:
            self.process.send_signal(by)
            try:
                _, errors = self.process.communicate(timeout=seconds)
                self.errors = errors.decode()
                self.status = self.process.returncode
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()
                return None
        return self.status

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Answer:
    def __init__(self, status, headers, body, version):
        self.status, self.headers, self.body, self.version = status, headers, body, version

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def one(self, name):
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None


HTTP_1 = "--http1.1"
HTTP_2 = "--http2-prior-knowledge"


def curl(address, *headers, path="/", version=HTTP_1, scheme="http", options=()):
    """One request by curl; `headers` as `Name: value` (`Name;` for an empty value)."""
    command = ["curl", "--silent", "--show-error", "--include", "--max-time", "10", version]
    for header in headers:
        command += ["--header", header]
    run = subprocess.run([*command, *options, f"{scheme}://{address}{path}"], capture_output=True)
    if run.returncode != 0:
        return Answer(0, [], run.stderr.decode(), "")
    head, _, body = run.stdout.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
    return Answer(int(status.split()[1]), headers, body.decode(), status.split()[0])
