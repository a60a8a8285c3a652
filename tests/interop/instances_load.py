"""The load of run_instances.py: good requests only, each of which must be answered as it deserves."""
import base64
import collections
import http.client
import json
import random
import threading
import time

from instances import Lost, Refused, request

PASSWORD = "correct horse"


def kid(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


class Record:
    """What was asked, what was not answered as it should be, and which keys have signed."""

    def __init__(self):
        self.counts, self.faults, self.kids = collections.Counter(), [], set()
        self.phase = "the start"

    def fault(self, text):
        self.faults.append(f"{self.phase}: {text}")


class Door:
    """Requests by one thread: through the proxy on a connection that is kept, or to one instance."""

    def __init__(self, ports, client):
        # Where there is no proxy, any of several ports.
        self.ports, self.client = ports, client
        self.kept = {}

    def send(self, method, path, form=None, headers=None, port=None):
        port = port or random.choice(self.ports)
        kept = self.kept.get(port)
        if kept is None:
            kept = self.kept[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        return request(port, method, path, form, headers, kept)

    def token(self, **form):
        return self.send("POST", "/token", form)

    def as_client(self, path, port=None, **form):
        return self.send("POST", path, form, {"authorization": self.client}, port)


class Worker(threading.Thread):
    """One thread, with a user of its own."""

    def __init__(self, record, door, whoami, user, pause, grace=30):
        super().__init__(daemon=True)
        self.record, self.door, self.whoami, self.user = record, door, whoami, user
        self.pause, self.grace = pause, grace
        self.families, self.tokens = [], []
        self.stopping = False
        self.verifier = http.client.HTTPConnection("127.0.0.1", whoami, timeout=20)

    def run(self):
        actions = [self.refresh] * 4 + [self.machine, self.introspect, self.protected, self.verify, self.verify]
        actions += [self.log_in, self.repeat, self.revoke, self.document]
        while not self.stopping:
            action = random.choice(actions) if self.families and self.tokens else self.log_in
            try:
                action()
                self.record.counts[action.__name__] += 1
            except (Lost, Refused) as error:
                self.record.fault(f"{action.__name__}: {type(error).__name__} {error}")
                # Nothing is known about its families now.
                self.families = []
            except Exception as error:
                self.record.fault(f"{action.__name__}: {error!r}")
                self.families = []
            time.sleep(self.pause)

    def wants(self, what, answer, status=200):
        if answer.status != status:
            raise Unexpected(f"{what}: {answer.status} {answer.body[:200]!r}")
        return answer.json()

    def keep(self, token):
        self.record.kids.add(kid(token))
        self.tokens = (self.tokens + [token])[-200:]

    def log_in(self):
        if len(self.families) >= 8:
            return self.revoke()
        form = {"grant_type": "password", "username": self.user, "password": PASSWORD}
        answer = self.wants("a login", self.door.token(**form))
        self.families.append([None, answer["refresh_token"], 0])
        self.keep(answer["access_token"])

    def refresh(self):
        family, begin = random.choice(self.families), time.monotonic()
        answer = self.wants("a refresh", self.door.token(grant_type="refresh_token", refresh_token=family[1]))
        family[:] = [family[1], answer["refresh_token"], begin]
        self.keep(answer["access_token"])

    def repeat(self):
        """The predecessor within the grace, as after a lost answer."""
        family = random.choice(self.families)
        if family[0] is not None and time.monotonic() < family[2] + self.grace / 2:
            answer = self.wants("a repetition", self.door.token(grant_type="refresh_token", refresh_token=family[0]))
            if answer["refresh_token"] != family[1]:
                raise Unexpected("a predecessor gives another successor")

    def machine(self):
        answer = self.wants("client credentials", self.door.as_client("/token", grant_type="client_credentials"))
        self.record.kids.add(kid(answer["access_token"]))
        self.show(answer["access_token"], "a machine's token")

    def introspect(self):
        answer = self.wants("/introspect", self.door.as_client("/introspect", token=self.any_token()))
        if not answer["active"]:
            raise Unexpected("a good token is not active")

    def protected(self):
        headers = {"authorization": f"Bearer {self.any_token()}"}
        self.wants("/protected", self.door.send("GET", "/protected", headers=headers))

    def verify(self):
        self.show(self.tokens[-1], "the newest token")
        self.show(self.any_token(), "a token of before")

    def document(self):
        self.wants("/jwks.json", self.door.send("GET", "/jwks.json"))

    def any_token(self):
        return random.choice(self.tokens)

    def show(self, token, what):
        headers = {"authorization": f"Bearer {token}"}
        answer = request(self.whoami, "GET", "/", None, headers, self.verifier)
        self.wants(f"the verifier, {what} of key {kid(token)}", answer)
        self.record.counts["tokens verified"] += 1

    def revoke(self):
        """The very next request, wherever it goes, sees it."""
        family = self.families.pop(random.randrange(len(self.families)))
        answer = self.wants("a refresh", self.door.token(grant_type="refresh_token", refresh_token=family[1]))
        access, refresh = answer["access_token"], answer["refresh_token"]
        self.wants("/revoke", self.door.send("POST", "/revoke", {"token": refresh}))
        self.check_revoked(access, refresh)
        # Its access tokens are those of a revoked grant. The verifier does not know that.
        self.tokens = [one for one in self.tokens if grant(one) != grant(access)]
        self.record.counts["revocations seen"] += 1

    def check_revoked(self, access, refresh):
        checks = {
            "/protected": lambda: self.door.send("GET", "/protected", headers={"authorization": f"Bearer {access}"})
            .status == 401,
            "/introspect": lambda: not self.wants("x", self.door.as_client("/introspect", token=access))["active"],
            "/token": lambda: self.door.token(grant_type="refresh_token", refresh_token=refresh).status == 400,
        }
        for name in random.sample(sorted(checks), len(checks)):
            if not checks[name]():
                raise Unexpected(f"{name} does not know of a revocation")


class Unexpected(Exception):
    """Another answer than the request deserves."""


def grant(token):
    """The grant of an access token, which its `jti` begins with."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims["jti"].split(".")[0]
