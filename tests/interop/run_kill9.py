"""Kills the token service under load, starts it again, and checks what it has acknowledged.

Threads log in, refresh, revoke and introspect. Each keeps a record of the answers that it got, and of nothing else: a
request whose answer was lost may have happened or not. After each start:

- the last refresh token of each family works, or gives the successor that it gave before;
- a family or an access token that was revoked stays revoked;
- the keys are those of before, and tokens of before are good;
- the service is ready within 5 seconds.

With --postgres there are two instances on one PostgreSQL, and each request goes to any of them. Either is killed while
the other one serves, sometimes both are, and so are PostgreSQL itself and single processes of it.

    run_kill9.py PROGRAM [--postgres FOLDER] [--seconds N] [--threads N] [--seed N] [--set-back]

FOLDER has PostgreSQL's programs. With --set-back the database is set back to an older state once: the run succeeds if
the checks find that something is lost or revived, and not if they find anything else.

No answer may take longer than LONGEST_ANSWER, and each action of the threads must have succeeded at least once.
"""

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time

from instances import Fault
from kill9_load import ACTIONS, LOST_OR_REVIVED, Worker, stop_all
from kill9_service import START_LIMIT, PostgresDatabase, Service, Sqlite

# A request waits for a connection to PostgreSQL for at most 10 seconds. One without an answer is given up after 20.
LONGEST_ANSWER = 18.0


class Killer:
    """Kills, starts again, and checks."""

    def __init__(self, service, numbers, up):
        self.service, self.numbers, self.up = service, numbers, up
        self.round = 0
        for instance in service.instances:
            service.start(instance)
        self.keys = service.keys(service.instances[0])
        status, answer = service.machine_token()
        if status != 200:
            raise Fault(f"client credentials: {status} {answer}")
        self.token = answer["access_token"]

    def next(self):
        """Of one instance on SQLite there is one way to die."""
        self.round += 1
        instances = self.service.instances
        if len(instances) == 1:
            self.kill_all()
        elif self.round % 5 == 3:
            self.kill_database()
        elif self.round % 10 == 5:
            self.kill_backend()
        elif self.round % 10 == 9:
            self.kill_all()
        else:
            self.kill_one(self.numbers.choice(instances))

    def kill_one(self, instance):
        self.service.kill(instance)
        self.service.start(instance)
        self.service.check(instance, self.keys, self.token)

    def kill_all(self, between=lambda: None):
        """`between` may change the database while nothing runs on it."""
        self.service.kill(*self.service.instances)
        self.up.clear()
        between()
        for instance in self.service.instances:
            self.service.start(instance)
        self.up.set()
        self.check_all()

    def kill_database(self):
        """The instances go on, and are ready again soon after it."""
        database = self.service.database
        database.kill()
        self.service.counts["kills of PostgreSQL"] += 1
        # Long enough that requests see it gone.
        time.sleep(self.numbers.uniform(0, 0.5))
        database.start()
        self.check_all()

    def kill_backend(self):
        self.service.database.kill_backend()
        self.service.counts["kills of a process of PostgreSQL"] += 1
        while not self.service.database.answers():
            time.sleep(0.02)
        self.check_all()

    def check_all(self):
        for instance in self.service.instances:
            instance.wait_until_ready(self.service.start_limit)
            self.service.check(instance, self.keys, self.token)

    def set_back(self):
        """Copies the database in the second round, and sets it back to that in the fourth."""
        self.round += 1
        change = {2: "copy", 4: "set_back"}.get(self.round)
        self.kill_all(lambda: change and self.change(change))

    def change(self, change):
        database = self.service.database
        if isinstance(database, PostgresDatabase):
            database.kill()
        getattr(database, change)()
        if isinstance(database, PostgresDatabase):
            database.start()


def load(service, options, faults):
    """Runs the threads, and kills the service again and again."""
    up = threading.Event()
    up.set()
    numbers = random.Random(options.seed)
    killer = Killer(service, numbers, up)
    workers = [
        Worker(service, number, random.Random(numbers.random()), up, faults) for number in range(options.threads)
    ]
    for worker in workers:
        worker.start()
    end = time.monotonic() + options.seconds
    while not faults and (time.monotonic() < end or options.set_back and killer.round < 6):
        time.sleep(numbers.uniform(0.05, 2.0))
        if options.set_back:
            killer.set_back()
        else:
            killer.next()
    faults.extend(stop_all(workers))
    for worker in workers:
        if not faults:
            worker.check_all(service.start_limit)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--postgres")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--set-back", action="store_true")
    options = parser.parse_args()
    random.seed(options.seed)
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        database = PostgresDatabase(options.postgres, folder) if options.postgres else Sqlite(folder)
        service = Service(options.program, database, folder)
        if options.set_back:
            # A slow start is not what must be found out.
            service.start_limit = 60
        try:
            service.prepare()
            load(service, options, faults)
        except Fault as fault:
            faults.append(str(fault))
        finally:
            for instance in service.instances:
                instance.kill()
            database.stop()
    if options.set_back:
        if not faults:
            sys.exit("a database that was set back is not noticed")
        if not any(text in fault for fault in faults for text in LOST_OR_REVIVED):
            sys.exit("the run fails, but not because the database was set back:\n" + "\n".join(faults))
        print(f"a database that was set back is noticed: {faults[0]}")
        return
    if not faults:
        faults += [f"there was no success of: {action}" for action in ACTIONS if not service.counts[action]]
        if not service.kills:
            faults.append("nothing was killed")
    if service.longest > LONGEST_ANSWER:
        faults.append(f"an answer took {service.longest:.1f} s")
    name = "two instances on PostgreSQL" if options.postgres else "SQLite"
    print(f"{name}, seed {options.seed}, {options.threads} threads, {options.seconds:.0f} s: {service.kills} kills")
    for name, number in sorted(service.counts.items()):
        print(f"{number:8d}  {name}")
    starts = service.starts
    print(f"starts: median {statistics.median(starts or [0]):.2f} s, longest {max(starts, default=0):.2f} s (at most {START_LIMIT:.0f} s)")
    print(f"longest answer: {service.longest:.1f} s (at most {LONGEST_ANSWER:.0f} s)")
    if faults:
        sys.exit("\n".join(faults))
    print("nothing that was acknowledged is lost, and nothing that was revoked is revived")


if __name__ == "__main__":
    main()
