"""The load of run_kill9.py: threads that keep a record of the answers that they got."""
import threading
import time

from instances import Fault, Lost
from kill9_service import PASSWORD, USERS

# What must have succeeded at least once in a run.
ACTIONS = (
    "logins",
    "rotations",
    "same successor again",
    "families revoked",
    "access tokens revoked",
    "client credentials",
    "checks of what is revoked",
)
# The faults of a database that has lost what was acknowledged, or revived what was revoked.
LOST_OR_REVIVED = (
    "an acknowledged refresh token is refused",
    "a predecessor does not give the same successor",
    "a revoked family is revived",
    "a revoked access token is revived",
    "a token of before is refused",
    "the keys have changed",
)


def stop_all(workers):
    """Stops the threads. Returns a fault for each that does not end."""
    for worker in workers:
        worker.stopping = True
    for worker in workers:
        worker.join(30)
    return [f"thread {worker.number} does not end" for worker in workers if worker.is_alive()]


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
            except Exception as error:
                self.faults.append(f"thread {self.number}: {error!r}")
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

    def check_all(self, within):
        """At the end, with the service up. It may need a moment to notice that PostgreSQL was gone."""
        for family in self.families:
            self.retried(within, self.repeat, family)
            self.retried(within, self.refresh, family)
        for family in self.revoked_families:
            self.retried(within, self.check_family, family)
        for token in self.revoked_tokens:
            self.retried(within, self.check_token, token)

    def retried(self, within, check, *arguments):
        """A refresh whose answer was lost gives the same successor again."""
        end = time.monotonic() + within
        while True:
            try:
                return check(*arguments)
            except Lost as lost:
                if time.monotonic() > end:
                    raise Fault(f"no answer at the end, for {within:.0f} s: {lost}") from None
                time.sleep(0.05)
