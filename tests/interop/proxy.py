"""HAProxy in front of instances: it asks each for /readyz, and retries a connection that is refused at another one."""
import socket
import subprocess
import time
from pathlib import Path

from instances import Fault, free_port

CONFIGURATION = """
global
    stats socket {socket} level admin
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout check 2s
    retries 3
    option redispatch 1
    retry-on conn-failure
frontend clients
    bind 127.0.0.1:{port}
    default_backend instances
backend instances
    balance random
    option forwardfor
    option httpchk GET /readyz
    default-server check inter 200ms fall 1 rise 1
{servers}
"""


class Proxy:
    """The proxy, and what it knows about the instances."""

    def __init__(self, folder, ports):
        self.port, self.socket = free_port(), str(Path(folder, "haproxy"))
        self.url = f"http://127.0.0.1:{self.port}"
        servers = "\n".join(f"    server s{port} 127.0.0.1:{port}" for port in ports)
        servers = servers.replace("", "")
        file = Path(folder, "haproxy.cfg")
        file.write_text(CONFIGURATION.format(socket=self.socket, port=self.port, servers=servers))
        self.log = Path(folder, "haproxy.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(["haproxy", "-f", file], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket)
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def is_up(self, port):
        rows = [line.split(",") for line in self.ask("show stat").splitlines() if line]
        status = rows[0].index("status")
        return [row[status] for row in rows if row[:2] == ["instances", f"s{port}"]] == ["UP"]

    def wait_until(self, port, up, within=15):
        end = time.monotonic() + within
        while self.is_up(port) != up:
            if time.monotonic() > end:
                raise Fault(f"for the proxy an instance is not {'up' if up else 'down'} after {within} s")
            time.sleep(0.02)

    def take_out(self, port):
        """Sends nothing more to an instance, which does not say itself that it is about to stop."""
        self.ask(f"set server instances/s{port} state drain")

    def put_in(self, port):
        self.ask(f"set server instances/s{port} state ready")

    def stop(self):
        self.process.kill()
        self.process.wait()
