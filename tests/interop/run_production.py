"""Runs the files and commands of a page: run_production.py PAGE PROGRAMS FOLDER

PAGE has blocks of commands (sh), each with its output (text) if one follows, and files: a block of any language after
a line that ends with the path, as in `/etc/nginx/nginx.conf`:. All of it is done in FOLDER in place of the root, with
free ports and with a PostgreSQL server that the environment names (PGHOST, PGPORT, PGUSER). In place of systemd, a
small program starts the unit of the page with its environment and its credentials; it simulates nothing else of
systemd. PROGRAMS is the folder of the programs. In the section about the proxy, nginx and HAProxy serve with the files
of the page, and requests go through each. Where the page restarts the instances, requests flow meanwhile.
"""
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import Checks, curl
from issuers import free_port

PAGE, PROGRAMS, ROOT = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
PORTS = {name: free_port() for name in ("8001", "8002", "443", "80")}
UNIT = ROOT / "etc/systemd/system/token-service@.service"
INSTANCES = [f"token-service@{PORTS[name]}" for name in ("8001", "8002")]
GOOD = "username=alice&password=correct%20horse%20battery%20staple"
checks = Checks()


def here(text):
    """The text with the paths, ports and names of this run."""
    text = re.sub(r"(?<![\w.}/])/(etc|var)/", rf"{ROOT}/\1/", text)
    text = text.replace("/usr/local/bin/token-service", str(PROGRAMS / "token-service"))
    text = text.replace("db.example", f"{os.environ['PGHOST']}:{os.environ['PGPORT']}")
    text = text.replace("sslmode=verify-full", f"sslmode=verify-full&sslrootcert={ROOT}/etc/ssl/db.pem")
    for name in ("8001", "8002"):
        text = text.replace(name, str(PORTS[name]))
    text = re.sub(r"(listen |bind :)(443|80)\b", lambda found: f"{found[1]}{PORTS[found[2]]}", text)
    return text


def blocks():
    """(section, language, text, line number, the path before it)."""
    section, path = "", None
    lines = iter(enumerate(PAGE.read_text().splitlines(), 1))
    for number, line in lines:
        if line.startswith("## "):
            section = line[3:]
        fence = re.fullmatch(r"```(\w+)", line)
        if not fence:
            named = re.search(r"`([\w./@-]+)`[^`]*:$", line)
            if line.strip():
                path = named[1] if named and named[1].startswith(("/", "Docker")) else None
            continue
        text = []
        for _, line in lines:
            if line == "```":
                break
            text.append(line)
        yield section, fence[1], "\n".join(text) + "\n", number, path
        path = None


def settings(unit):
    """The settings of a unit and its additions, with the specifiers replaced."""
    instance, credentials = unit.partition("@")[2], ROOT / "credentials" / unit
    found = {}
    for file in [UNIT, *sorted(Path(f"{UNIT}.d").glob("*.conf"))]:
        for line in file.read_text().splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                value = value.replace("%i", instance).replace("%d", str(credentials)).replace("%%", "%")
                found.setdefault(name, []).append(value)
    return found, credentials


running = {}


def start(unit):
    found, credentials = settings(unit)
    credentials.mkdir(parents=True, exist_ok=True)
    for credential in found["LoadCredential"]:
        name, _, source = credential.partition(":")
        (credentials / name).unlink(missing_ok=True)
        (credentials / name).write_bytes(Path(source).read_bytes())
        (credentials / name).chmod(0o400)
    environment = {"PATH": os.environ["PATH"]}
    for file in found["EnvironmentFile"]:
        environment |= dict(line.split("=", 1) for line in Path(file).read_text().splitlines() if "=" in line)
    for line in found["Environment"]:
        environment |= dict(word.split("=", 1) for word in shlex.split(line))
    if coverage := os.environ.get("LLVM_PROFILE_FILE"):
        environment["LLVM_PROFILE_FILE"] = coverage
    log = open(ROOT / f"{unit}.log", "ab")
    command = shlex.split(found["ExecStart"][0])
    running[unit] = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def stop(unit, drain=False):
    """Ends an instance; at once, by a second signal, unless it is to `drain`."""
    process = running.get(unit)
    if process:
        wait_until_ready(unit)
        del running[unit]
        process.terminate()
        if not drain:
            time.sleep(0.1)  # Signals of the same kind that come together are one.
            process.terminate()
        checks.equal(process.wait(20), 0, f"status of {unit} after SIGTERM")


def systemctl(words):
    """What the program `systemctl` of this run asks for."""
    verb, units = words[0], [word for word in words[1:] if not word.startswith("-")]
    if verb == "restart":
        for proxy in serving:
            checks.equal(proxy.left_out(), [], f"{proxy.name}: instances left out before {units} restart")
    if verb in ("stop", "restart"):
        for unit in units:
            stop(unit, drain=verb == "restart")
    if verb in ("enable", "start", "restart"):
        for unit in units:
            start(unit)
    return verb in ("daemon-reload", "enable", "start", "stop", "restart")


def listen_for_systemctl(folder):
    """Makes a `systemctl` that hands its words to this process and waits for the answer."""
    asked, answered = folder / "asked", folder / "answered"
    for pipe in (asked, answered):
        os.mkfifo(pipe)
    program = folder / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$*" >{asked}\nread -r answer <{answered}\nexit "$answer"\n')
    program.chmod(0o755)

    def serve():
        while True:
            with open(asked) as words:
                text = words.read()
            is_done = False
            try:
                is_done = systemctl(text.split())
            except Exception as error:  # It must be answered, or the page hangs.
                print(f"systemctl {text.strip()}: {error!r}", file=sys.stderr)
            with open(answered, "w") as answer:
                answer.write(f"{0 if is_done else 1}\n")

    threading.Thread(target=serve, daemon=True).start()


def matches(expected, seen):
    """`…` in a line matches any text."""
    pattern = "".join(re.escape(line).replace("…", ".*") + "\n" for line in expected.splitlines())
    return re.fullmatch(pattern, seen) is not None


def bash(text):
    path = f"{TOOLS}:{PROGRAMS}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here(text)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        timeout=120, env={**os.environ, "PATH": path},
    )


def run(text, expected, where):
    """Runs the commands of a block, and compares their output."""
    print(f"line {where}: {text.splitlines()[0]}", flush=True)
    done = bash(text)
    if done.returncode != 0 or (expected is not None and not matches(here(expected), done.stdout)):
        print(f"line {where}: status {done.returncode}; expected\n{expected}\nbut it prints\n{done.stdout}")
        for log in ROOT.glob("*.log"):
            print(f"== {log.name}\n{log.read_text()[-2000:]}")
        sys.exit(1)
    checks.that(True, f"line {where}")


def write(path, text):
    file = ROOT / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(here(text))


def certificates():
    """A certificate for the proxy, which curl trusts in this run."""
    folder = ROOT / "etc/ssl/login.example"
    folder.mkdir(parents=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=login.example", "-addext", "subjectAltName=DNS:login.example",
         "-keyout", folder / "key.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )
    pem = (folder / "fullchain.pem").read_text() + (folder / "key.pem").read_text()
    (folder / "haproxy.pem").write_text(pem)
    return folder / "fullchain.pem"


serving = []


class Proxy:
    """A proxy with the file of the page, and requests through it."""

    def __init__(self, name, command):
        self.name, self.command = name, command

    def __enter__(self):
        log = open(ROOT / f"{self.name}.log", "wb")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(100):
            if self.get("/jwks.json").status == 200:
                serving.append(self)
                return self
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not serve: {(ROOT / f'{self.name}.log').read_text()}")

    def __exit__(self, *_):
        serving.remove(self)
        self.process.terminate()
        self.process.wait(10)

    def left_out(self):
        """The instances that HAProxy says are down. nginx says nothing."""
        said = re.findall(r"Server token_service/(\w+) is (UP|DOWN)", (ROOT / f"{self.name}.log").read_text())
        return [server for server, state in dict(said).items() if state == "DOWN"]

    def get(self, path, *headers, options=(), version="--http2"):
        options = [*TO_PROXY, *options]
        return curl("login.example", *headers, path=path, version=version, scheme="https", options=options)

    def log_in(self, form, headers=(), options=()):
        return self.get("/token", *headers, options=["--data", form, *options])


def check_proxy(proxy, client):
    """Requests through a proxy. `client` is an address of this machine that no other check comes from."""
    name = proxy.name
    for path, status in [("/jwks.json", 200), ("/metrics", 404), ("/readyz", 404), ("/healthz", 404)]:
        checks.equal(proxy.get(path).status, status, f"{name}: {path}")
    seen = proxy.get("/jwks.json")
    checks.equal(seen.version, "HTTP/2", f"{name}: version")
    checks.that(seen.one("strict-transport-security"), f"{name}: Strict-Transport-Security, once")
    ids = [proxy.get("/jwks.json", *["X-Request-ID: of-a-client"] * number).one("x-request-id") for number in range(3)]
    checks.that(len(set(ids)) == 3 and all(ids) and "of-a-client" not in ids, f"{name}: IDs of requests", ids)
    to_plain = ["--connect-to", f"login.example:80:127.0.0.1:{PORTS['80']}"]
    plain = curl("login.example", path="/jwks.json", options=to_plain)
    checks.equal((plain.status, plain.one("location")), (301, "https://login.example/jwks.json"), f"{name}: http")
    bearer = f"Authorization: Bearer {proxy.log_in(GOOD).json()['access_token']}"
    statuses = [proxy.get("/protected", bearer).status for _ in range(10)]
    checks.equal(statuses, [200] * 10, f"{name}: a token of one instance at both")

    # Wrong passwords are counted for the address of the client, whatever it writes into the header itself, and not for
    # that of the proxy. One guess comes back every 1.2 seconds.
    def guess(number):
        pretended = [f"X-Forwarded-For: 192.0.2.{number}", f"Forwarded: for=192.0.2.{number}"]
        form = f"username=guess{number}&password=wrong"
        for _ in range(50):
            status = proxy.log_in(form, pretended, ["--interface", client]).status
            if status != 503:  # Too many logins at once.
                break
            time.sleep(0.2)
        return status

    with ThreadPoolExecutor(10) as threads:
        guesses = Counter(threads.map(guess, range(100)))
    checks.that(guesses[401] >= 50 and guesses[429] > 0 and guesses.total() == 100, f"{name}: guesses", guesses)
    checks.equal(proxy.log_in(GOOD).status, 200, f"{name}: another client")
    check_outage(proxy)


def check_outage(proxy):
    """While the database refuses everything, the public documents are served."""
    database = "ALTER DATABASE token_service ALLOW_CONNECTIONS"
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'token_service'"
    checks.equal(errors(), [], "the errors before an outage")
    subprocess.run(["psql", "-qAt", "-c", f"{database} false", "-c", end, "postgres"], check=True, capture_output=True)
    documents = ("/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
    try:
        if proxy.name == "haproxy":
            for _ in range(200):
                if len(proxy.left_out()) == len(INSTANCES):
                    break
                time.sleep(0.1)
            checks.equal(sorted(proxy.left_out()), ["a", "b"], "haproxy: left out during an outage")
        for path in documents:
            checks.equal(proxy.get(path).status, 200, f"{proxy.name}: {path} during an outage")
        checks.equal(proxy.get("/authorize?client_id=app").status, 503, f"{proxy.name}: a login during an outage")
    finally:
        subprocess.run(["psql", "-qAt", "-c", f"{database} true", "postgres"], check=True)
    for unit in INSTANCES:
        wait_until_ready(unit)
        os.truncate(ROOT / f"{unit}.log", 0)


def restart(proxy, text, expected, where):
    """Runs the commands of a block that restarts the instances, while requests flow."""
    time.sleep(2.5)  # The instances notice within 2 seconds that a section before has revoked keys.
    bearer = f"Authorization: Bearer {proxy.log_in(GOOD).json()['access_token']}"
    refused, counted, ended = [], [0], threading.Event()

    def requests():
        while not ended.is_set():
            try:
                status = proxy.get("/protected", bearer).status
            except Exception as error:
                status = repr(error)
            counted[0] += 1
            if status != 200:
                refused.append(status)
            time.sleep(0.05)  # An address may make 50 requests a second.

    threads = [threading.Thread(target=requests) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        run(text, expected, where)
    finally:
        ended.set()
    for thread in threads:
        thread.join()
    checks.equal(refused, [], f"{proxy.name}: refusals of {counted[0]} requests while instances end and start")
    checks.that(counted[0] > 50, f"{proxy.name}: requests while instances end and start", counted[0])


def errors():
    """The errors in the logs of the instances. A busy machine may take too long for a request."""
    late = ("in time", "too long")
    lines = [line for unit in INSTANCES for line in (ROOT / f"{unit}.log").read_text().splitlines()]
    return [line for line in lines if "ERROR" in line and not any(text in line for text in late)]


def wait_until_ready(unit):
    for _ in range(200):
        if curl(f"127.0.0.1:{unit.partition('@')[2]}", path="/readyz").status == 200:
            return
        time.sleep(0.05)
    raise RuntimeError(f"{unit} is not ready")


def nginx():
    """nginx with the server of the page, in a configuration that needs nothing of the system."""
    folder = ROOT / "nginx"
    folder.mkdir(exist_ok=True)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    main = f"""{user}daemon off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
{temporary}access_log off;
include {ROOT}/etc/nginx/conf.d/*.conf;
}}
"""
    (folder / "nginx.conf").write_text(main)
    return Proxy("nginx", ["nginx", "-p", folder, "-c", folder / "nginx.conf"])


def haproxy():
    file = ROOT / "etc/haproxy/haproxy.cfg"
    said = subprocess.run(["haproxy", "-c", "-f", file], capture_output=True, text=True)
    checks.that(said.returncode == 0 and "WARNING" not in said.stderr, "haproxy -c", said.stdout + said.stderr)
    return Proxy("haproxy", ["haproxy", "-db", "-f", file])


def check_unit():
    """systemd knows every setting of the unit, and finds it well protected."""
    analyze = ["systemd-analyze", "--man=no"]
    said = subprocess.run([*analyze, "verify", UNIT], capture_output=True, text=True)
    faults = [line for line in said.stderr.splitlines() if "token-service" in line]
    checks.equal(faults, [], "systemd-analyze verify")
    security = [*analyze, "security", "--offline=yes", "--threshold=20", UNIT]
    said = subprocess.run(security, capture_output=True, text=True)
    overall = said.stdout.strip().splitlines()[-1:]
    checks.that(said.returncode == 0, "systemd-analyze security", (overall, said.stderr))


def check_dockerfile(text):
    """What can be known without an engine: the package, the program, and the libraries that the last stage needs."""
    package = re.search(r"^RUN cargo build --locked --release -p (\S+)$", text, re.M)[1]
    workspace = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version=1", "--no-deps"], capture_output=True, text=True, check=True
    )
    checks.that(f'"name":"{package}"' in workspace.stdout, "the package of the image")
    copied = re.search(r"^COPY --from=build /source/target/release/(\S+) (\S+)$", text, re.M)
    checks.that((PROGRAMS / copied[1]).exists() and f'ENTRYPOINT ["{copied[2]}"]' in text, "the program of the image")
    needed = subprocess.run(["ldd", PROGRAMS / copied[1]], capture_output=True, text=True, check=True).stdout
    libraries = set(re.findall(r"^\s*(?:/\S*/)?(\w+)\S*\.so\.\d", needed, re.M))
    checks.equal(libraries - {"linux", "ld", "libgcc_s", "libm", "libc"}, set(), "libraries that the image has not")


CERTIFICATE = certificates()
TO_PROXY = ["--connect-to", f"login.example:443:127.0.0.1:{PORTS['443']}", "--cacert", str(CERTIFICATE)]
TOOLS = ROOT / "bin"
TOOLS.mkdir()
listen_for_systemctl(TOOLS)
(TOOLS / "curl").write_text(f'#!/bin/sh\nexec {shlex.join(["/usr/bin/curl", *TO_PROXY])} "$@"\n')
(TOOLS / "curl").chmod(0o755)

began = time.monotonic()
page = list(blocks())
direct = f"127.0.0.1:{PORTS['8001']}"
before = {}
(ROOT / "var/backups").mkdir(parents=True)
try:
    for index, (section, language, text, where, path) in enumerate(page):
        follows = page[index + 1] if index + 1 < len(page) else ("", "", "", 0, None)
        expected = follows[2] if follows[1] == "text" else None
        if path == "Dockerfile":
            check_dockerfile(text)
        elif path:
            write(path, text)
        elif language == "sh" and section == "The proxy":
            for proxy, client in ((nginx, "127.0.0.2"), (haproxy, "127.0.0.3")):
                with proxy() as running_proxy:
                    run(text, expected, where)
                    check_proxy(running_proxy, client)
                print(f"{running_proxy.name}: checked after {time.monotonic() - began:.0f} s", flush=True)
        elif language == "sh" and "systemctl restart" in text:
            for proxy in (haproxy, nginx):
                with proxy() as running_proxy:
                    restart(running_proxy, text, expected, where)
                # As the page says: the rest may be repeated.
                if "generate-encryption-key" in text:
                    text, expected = re.sub(r".*generate-encryption-key.*\n", "", text), None
        elif language == "sh":
            if section == "Backup and restore" and "pg_dump" in text:
                before = curl(direct, path="/token", options=["--data", GOOD]).json()
                issue = ". /etc/token-service/admin; token-service token --lifetime 3600 --subject alice"
                before["of_no_grant"] = bash(issue).stdout.strip()
            run(text, expected, where)
    check_unit()
    wait_until_ready(INSTANCES[0])
    for name in ("access_token", "of_no_grant"):
        status = curl(direct, f"Authorization: Bearer {before[name]}", path="/protected").status
        checks.equal(status, 401, f"{name} of before the restore")
    form = f"grant_type=refresh_token&refresh_token={before['refresh_token']}"
    status = curl(direct, path="/token", options=["--data", form]).status
    checks.equal(status, 400, "a refresh token of before the restore")
    for unit in INSTANCES:
        stop(unit)
    checks.equal(errors(), [], "the errors in the logs")
finally:
    for unit in list(running):
        running.pop(unit).kill()
checks.end("the production page")
