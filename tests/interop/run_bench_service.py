"""CPU time per request of the token service, with one, two and three instances on one PostgreSQL.

The load is the same for any number of instances: so many requests of one endpoint, one or four at once, each to an
instance at random. The blocks of a round are in random order, so what else the machine does falls on all of them alike. CPU
time is user and system time of /proc/PID/stat, of the instances and, apart, of PostgreSQL. A figure is the median of the
rounds, its spread the half of the distance between the quartiles.

    run_bench_service.py PROGRAM POSTGRES_URL POSTGRES_PID [--rounds N] [--requests N] [--seed N] [--smoke]

The last lines are Markdown. The server of PostgreSQL has `pg_stat_statements`, which counts statements in a run of its own, with one and with three
instances.
"""

import argparse
import base64
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import defaultdict

from harness import Server

INSTANCES = (1, 2, 3)
# Requests at once: of one at a time, each wakes up its instance; of several, an instance finds the next one while it is awake.
AT_ONCE = (1, 4)
TICK = os.sysconf("SC_CLK_TCK")
# Refreshes of one login. The service forgets the oldest used tokens of a family after 1,000, which takes more statements,
# and takes so many within a short time for a theft.
FAMILY = 400
ISSUER = "http://bench.example"
# Statements of one good request; BEGIN and COMMIT are two. If there are others, the run fails.
STATEMENTS = {"client_credentials": 1, "refresh_token": 9, "introspect": 2}
# Statements that no request sends: of this program, and of the service beside the requests (its keys, its clock, its
# purge). All others count, also one that only some of the requests send.
BESIDE = re.compile(
    r"pg_stat_statements|pg_reload_conf|ALTER SYSTEM|FROM signing_keys|UPDATE signing_keys|clock_timestamp\(\)"
    r"|^DELETE FROM .* LIMIT \$|^SET |^SELECT \$1$"
)


def stat(pid):
    """The fields of /proc/PID/stat after the name, which may contain spaces."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def cpu(pid):
    """User and system time of a process, in seconds."""
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_of_postgres(pid):
    """The same of a server and of its processes, also those that have ended."""
    fields = stat(pid)
    total = sum(int(field) for field in fields[11:15]) / TICK
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            if stat(other)[1] == str(pid):
                total += cpu(other)
        except OSError:
            pass  # It has ended.
    return total


class Bench:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.psql("DROP DATABASE IF EXISTS bench", database=None)
        self.psql("CREATE DATABASE bench", database=None)
        self.psql("CREATE EXTENSION pg_stat_statements")
        self.url = options.postgres.rpartition("/")[0] + "/bench"
        self.admin("user", "add", "bench", "--scope", "read", input="correct horse")
        grants = [word for grant in ("client_credentials", "refresh_token", "password") for word in ("--grant", grant)]
        lines = self.admin("client", "add", "--id", "bench-client", "--name", "bench", "--scope", "read", *grants)
        secret = re.search(r"client_secret: (\S+)", lines)[1]
        basic = base64.b64encode(f"bench-client:{secret}".encode()).decode()
        self.headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}

    def psql(self, statement, database="bench"):
        url = self.options.postgres if database is None else self.options.postgres.rpartition("/")[0] + "/" + database
        run = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", url, "-c", statement],
                             capture_output=True, text=True, check=True)
        return run.stdout.strip()

    def admin(self, *words, input=""):
        command = [self.options.program, "--database", self.url, *words]
        return subprocess.run(command, input=input, capture_output=True, text=True, check=True).stdout

    def serve(self, number):
        """So many instances."""
        flags = ["--database", self.url, "--issuer", ISSUER, "--listen", "127.0.0.1:0", "--requests-per-second", "0"]
        servers = []
        for _ in range(number):
            servers.append(Server([self.options.program, *flags]).__enter__())
        return servers

    def load(self, servers, endpoint, at_once, requests):
        """Sends the requests from so many threads, each with its own connections and tokens. Returns when all are
        answered; one answer that is not good ends the program."""
        ready, go = threading.Barrier(at_once + 1), threading.Barrier(at_once + 1)
        faults = []

        def work(seed):
            pick = random.Random(seed)
            try:
                connections = [http.client.HTTPConnection(server.addresses[0], timeout=30) for server in servers]
                post = lambda path, form: self.post(pick.choice(connections), path, form)
                warm_up = max(10 * len(servers), requests // 20)
                refreshes = warm_up + requests // at_once if endpoint == "refresh_token" else 1
                password = {"grant_type": "password", "username": "bench", "password": "correct horse"}
                logins = [post("/token", password) for _ in range(-(-refreshes // FAMILY))]
                access = logins[0]["access_token"]
                families = [login["refresh_token"] for login in logins]
                def step():
                    if endpoint == "client_credentials":
                        post("/token", {"grant_type": "client_credentials"})
                    elif endpoint == "refresh_token":
                        form = {"grant_type": "refresh_token", "refresh_token": families.pop(0)}
                        families.append(post("/token", form)["refresh_token"])
                    elif not post("/introspect", {"token": access})["active"]:
                        raise RuntimeError("a good token is not active")

                # Connections to the database and prepared statements are there before the figures begin.
                for _ in range(warm_up):
                    step()
                ready.wait(60)
                go.wait(60)
                for _ in range(requests // at_once):
                    step()
            except Exception as fault:
                faults.append(fault)
                ready.abort()
                go.abort()

        threads = [threading.Thread(target=work, args=(self.random.random(),)) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        try:
            ready.wait(60)
            before = self.figures(servers)
            go.wait(60)
        except threading.BrokenBarrierError:
            pass
        for thread in threads:
            thread.join()
        if faults:
            sys.exit(f"a request failed: {faults[0]!r}")
        after = self.figures(servers)
        done = requests // at_once * at_once
        return [(b - a) / done for a, b in zip(before, after)]

    def figures(self, servers):
        """CPU time of the instances and of PostgreSQL, and the time."""
        return (
            sum(cpu(server.process.pid) for server in servers),
            cpu_of_postgres(self.options.postgres_pid),
            time.monotonic(),
        )

    def post(self, connection, path, form):
        connection.request("POST", path, urllib.parse.urlencode(form), self.headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]}")
        return json.loads(body)

    def statements(self, endpoint, number, requests):
        """The statements of requests to so many instances in turn, by their text."""
        servers = self.serve(number)
        connections = [http.client.HTTPConnection(server.addresses[0], timeout=30) for server in servers]

        def post(path, form):
            connections.append(connections.pop(0))
            return self.post(connections[0], path, form)

        login = post("/token", {"grant_type": "password", "username": "bench", "password": "correct horse"})
        self.psql("ALTER SYSTEM SET pg_stat_statements.track = 'top'")
        self.psql("SELECT pg_reload_conf()")
        # Each backend reads the file before its next statement.
        for _ in servers:
            post("/token", {"grant_type": "client_credentials"})
        refresh = login["refresh_token"]
        step = lambda: post("/introspect", {"token": login["access_token"]})
        if endpoint == "client_credentials":
            step = lambda: post("/token", {"grant_type": "client_credentials"})
        if endpoint == "refresh_token":
            def step():
                nonlocal refresh
                form = {"grant_type": "refresh_token", "refresh_token": refresh}
                refresh = post("/token", form)["refresh_token"]
        for _ in servers:
            step()
        self.psql("SELECT pg_stat_statements_reset()")
        for _ in range(requests):
            step()
        rows = self.psql("SELECT json_build_object('calls', calls, 'query', query) FROM pg_stat_statements")
        self.psql("ALTER SYSTEM SET pg_stat_statements.track = 'none'")
        self.psql("SELECT pg_reload_conf()")
        stop(servers)
        seen = [json.loads(row) for row in rows.splitlines()]
        return {row["query"]: row["calls"] for row in seen if not BESIDE.search(row["query"])}


def stop(servers):
    for server in servers:
        if server.stop() != 0:
            sys.exit("an instance did not stop")


def signatures():
    """CPU time of one ES256 signature, by OpenSSL: by it the figures carry over to another machine."""
    run = subprocess.run(["openssl", "speed", "-seconds", "1", "ecdsap256"], capture_output=True, text=True, check=True)
    # Time of a signature and of a check, and the number of each in a second. The times are rounded too much.
    return 1 / float(re.search(r"^ *256 bits ecdsa.* [\d.]+s +[\d.]+s +([\d.]+)", run.stdout, re.M)[1])


def figure(values, digits=0, unit=""):
    """The median with its spread."""
    middle = statistics.median(values)
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [middle] * 3
    return f"{middle:.{digits}f}{unit} ± {(quartiles[2] - quartiles[0]) / 2:.{digits}f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("postgres")
    parser.add_argument("postgres_pid", type=int)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.requests = 1, 80
    options.seed = random.randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {options.seed}", flush=True)
    bench = Bench(options)

    wrong = []
    for endpoint, expected in STATEMENTS.items():
        requests = 21
        for number in (min(INSTANCES), max(INSTANCES)):
            found = bench.statements(endpoint, number, requests)
            calls = sum(found.values())
            if calls != expected * requests:
                wrong.append(f"{endpoint}: {calls} statements of {requests} requests to {number} instances, not "
                             f"{expected} of each: {json.dumps(found, indent=1)}")
    if wrong:
        sys.exit("\n".join(wrong))

    # One row for each block: (endpoint, requests at once, instances) to a list of (CPU of the service, of PostgreSQL, time).
    blocks, bare = defaultdict(list), []
    for number_of_round in range(options.rounds):
        bare.append(signatures())
        order = list(INSTANCES)
        bench.random.shuffle(order)
        for number in order:
            servers = bench.serve(number)
            loads = [(endpoint, at_once) for endpoint in STATEMENTS for at_once in AT_ONCE]
            bench.random.shuffle(loads)
            for endpoint, at_once in loads:
                figures = bench.load(servers, endpoint, at_once, options.requests)
                blocks[endpoint, at_once, number].append(figures)
            stop(servers)
        print(f"round {number_of_round + 1} of {options.rounds}", flush=True)

    print()
    print("| endpoint | at once | instances | service | to one instance | in ES256 signatures "
          "| PostgreSQL | to one instance | statements |")
    print("|---" + "|--:" * 8 + "|")
    for endpoint, at_once in [(endpoint, at_once) for endpoint in STATEMENTS for at_once in AT_ONCE]:
        one = blocks[endpoint, at_once, 1]
        for number in INSTANCES:
            these = blocks[endpoint, at_once, number]
            service, postgres = ([row[at] for row in these] for at in (0, 1))
            # Within a round, so that a busy minute of the machine falls on both.
            ratios = [[row[at] / first[at] for row, first in zip(these, one) if first[at]] or [1.0] for at in (0, 1)]
            in_signatures = [cpu / signature for cpu, signature in zip(service, bare)]
            cells = [
                f"`{endpoint}`", str(at_once), str(number),
                figure([cpu * 1e6 for cpu in service], 0, " µs"), figure(ratios[0], 2), figure(in_signatures, 1),
                figure([cpu * 1e6 for cpu in postgres], 0, " µs"), figure(ratios[1], 2), str(STATEMENTS[endpoint]),
            ]
            print("| " + " | ".join(cells) + " |")
    print()
    print(f"One ES256 signature of OpenSSL: {figure([cpu * 1e6 for cpu in bare], 1, ' µs')} of CPU time. "
          f"{options.rounds} rounds of {options.requests} requests for each row.")


if __name__ == "__main__":
    main()
