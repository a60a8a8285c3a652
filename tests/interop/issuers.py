"""Issuers for run_issuers.py: two real ones, one that counts who asks it for what, and one that never answers."""
import base64
import contextlib
import gzip
import http.cookiejar
import http.server
import json
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from harness import Server
from instances import free_port
from joserfc.jwk import ECKey, OKPKey, RSAKey

HERE = Path(__file__).parent
RESOURCE = "https://api.test"


def ask(url, form=None, method=None, basic=None, body=None, opener=urllib.request.build_opener()):
    """The body of an answer; an error where its status is one."""
    headers = {}
    if basic:
        headers["authorization"] = "Basic " + base64.b64encode(basic.encode()).decode()
    data = urllib.parse.urlencode(form).encode() if form else None
    if body is not None:
        data, headers["content-type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url} answers {error.status}: {error.read()[:300]}") from None


def access_token(endpoint, resource):
    form = {"grant_type": "client_credentials", "scope": "read", "resource": resource}
    return json.loads(ask(endpoint, form, basic="svc:svc-secret"))["access_token"]


def revoke_token(endpoint, token):
    ask(endpoint, {"token": token, "token_type_hint": "access_token"}, basic="svc:svc-secret")


class OidcProvider:
    """npm oidc-provider, by oidc_provider.mjs. Stopped and started again, it has other keys."""

    def __init__(self, name=None, port=None, env=None):
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.name = name or self.address
        self.env = env or {}
        self.introspection = f"{self.address}/token/introspection"

    def __enter__(self):
        self.start()
        return self

    def start(self):
        env = {"PORT": str(self.port), "ISSUER": self.name, **self.env}
        self.server = Server(["node", str(HERE / "oidc_provider.mjs")], seconds=60, env=env)
        self.server.__enter__()

    def kill(self):
        self.server.__exit__()

    def __exit__(self, *_):
        self.kill()

    def token(self, resource="rs"):
        return access_token(f"{self.address}/token", f"{RESOURCE}/{resource}")

    def refresh_token(self):
        return json.loads(ask(f"{self.address}/_test/refresh-token", method="POST"))["token"]

    def revoke(self, token):
        revoke_token(f"{self.address}/token/revocation", token)

    def rotate(self, drop=False):
        ask(f"{self.address}/_test/rotate?drop={int(drop)}", method="POST")

    def key_set(self, mode):
        ask(f"{self.address}/_test/jwks?mode={mode}", method="POST")

    def requests(self):
        """What it was asked for, but for tokens."""
        requests = json.loads(ask(f"{self.address}/_test/requests"))["requests"]
        return [request for request in requests if request != "POST /token"]


class Glewlwyd:
    """Glewlwyd, in C, from Debian: its issuer has a path. State lies in a new folder below `folder`."""

    DOCS = Path("/usr/share/doc/glewlwyd")

    def __init__(self, folder):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.name = f"{self.address}/api/oidc"
        self.introspection = f"{self.name}/introspect"
        self.folder = folder / f"glewlwyd-{self.port}"
        self.keys = []
        jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(secure_protocols=("http", "https")))
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def __enter__(self):
        self.folder.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(self.folder / "g.db")) as database:
            database.executescript(self.sample("database/init.sqlite3.sql.gz"))
        lines = []
        ours = {
            "port": f"port={self.port}\nbind_address=\"127.0.0.1\"",
            "external_url": f'external_url="{self.address}"',
            "cookie_domain": 'cookie_domain="127.0.0.1"',
            "cookie_secure": "cookie_secure=0",
            "path": f'path = "{self.folder}/g.db"',
        }
        for line in self.sample("glewlwyd.conf.sample.gz").splitlines():
            lines.append(ours.get(line.partition("=")[0].strip(), line))
        (self.folder / "g.conf").write_text("\n".join(lines) + "\n")
        self.log = open(self.folder / "g.log", "wb")
        self.process = subprocess.Popen(
            ["glewlwyd", "-c", str(self.folder / "g.conf")],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            print((self.folder / "g.log").read_text()[-2000:])
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def sample(self, name):
        return gzip.decompress((self.DOCS / name).read_bytes()).decode()

    def set_up(self):
        end = time.monotonic() + 60
        while True:
            try:
                ask(f"{self.address}/config")
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.1)
        self.admin("auth/", body={"username": "admin", "password": "password"})
        self.admin("scope/", body={
            "name": "read", "display_name": "read", "password_required": True, "password_max_age": 0,
        })
        self.keys = self.new_keys()
        self.admin("mod/plugin/", body=self.plugin())
        self.admin("client/", body={
            "client_id": "svc", "client_secret": "svc-secret", "name": "svc", "enabled": True,
            "confidential": True, "scope": ["read"], "redirect_uri": ["http://127.0.0.1/cb"],
            "authorization_type": ["client_credentials"],
            "token_endpoint_auth_method": ["client_secret_basic"],
        })

    def admin(self, path, body=None, method=None):
        ask(f"{self.address}/api/{path}", body=body, method=method, opener=self.opener)

    def new_keys(self):
        stamp = f"{time.time_ns():x}"
        keys = [
            (RSAKey.generate_key(2048), "RS256"),
            (ECKey.generate_key("P-256"), "ES256"),
            (OKPKey.generate_key("Ed25519"), "EdDSA"),
        ]
        return [
            {**key.as_dict(private=True), "alg": alg, "use": "sig", "kid": f"{alg.lower()}-{stamp}"}
            for key, alg in keys
        ]

    def plugin(self):
        on = (
            "jwks-show", "allow-non-oidc", "auth-type-client-enabled", "auth-type-id-token-enabled",
            "refresh-token-rolling", "pkce-allowed", "resource-allowed", "introspection-revocation-allowed",
            "introspection-revocation-allow-target-client",
        )
        off = (
            "auth-type-token-enabled", "auth-type-none-enabled", "auth-type-code-enabled",
            "auth-type-implicit-enabled", "auth-type-password-enabled", "auth-type-device-enabled",
            "auth-type-refresh-enabled", "request-parameter-allow", "pkce-method-plain-allowed",
            "oauth-dpop-allowed",
        )
        parameters = {name: True for name in on} | {name: False for name in off} | {
            "iss": self.name,
            # The first key of the set signs, whatever `default-kid` says.
            "jwks-private": json.dumps({"keys": self.keys}),
            "default-kid": self.keys[0]["kid"],
            "jwt-type": "rsa",
            "jwt-key-size": "256",
            "access-token-duration": 300,
            "refresh-token-duration": 86400,
            "code-duration": 60,
            "refresh-token-one-use": "always",
            "introspection-revocation-auth-scope": [],
            "subject-type": "public",
            "resource-scope": {"read": [f"{RESOURCE}/g"]},
            "scope": [{"name": "read", "refresh-token-rolling": True}],
        }
        return {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": parameters}

    def rotate(self, alg="RS256"):
        """New keys, before the old ones; the new one of this algorithm signs."""
        new = self.new_keys()
        new.sort(key=lambda key: key["alg"] != alg)
        self.keys = new + self.keys
        self.admin("mod/plugin/oidc", body=self.plugin(), method="PUT")
        self.admin("mod/plugin/oidc/reset", method="PUT")

    def token(self):
        return access_token(f"{self.name}/token", f"{RESOURCE}/g")

    def revoke(self, token):
        revoke_token(f"{self.name}/revoke", token)


class Counting(http.server.BaseHTTPRequestHandler):
    """Answers metadata and one key, or an error to everything, and keeps what it was asked for."""

    protocol_version = "HTTP/1.1"
    KEY = {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}

    def do_GET(self):
        self.server.requests.append(f"{self.command} {self.path}")
        documents = {
            "/.well-known/openid-configuration": {"issuer": self.server.name, "jwks_uri": self.server.name + "/keys"},
            "/keys": {"keys": [self.KEY]},
        }
        status = self.server.status
        if status == 200 and self.path not in documents:
            status = 404
        body = json.dumps(documents[self.path] if status == 200 else {"error": status}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

    @classmethod
    @contextlib.contextmanager
    def start(cls, status=200):
        with http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), cls) as server:
            server.name = "http://127.0.0.1:%d" % server.server_port
            server.requests, server.status = [], status
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield server
            finally:
                server.shutdown()


@contextlib.contextmanager
def hung():
    """The name of an issuer that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", free_port()), backlog=100) as server:
        yield "http://127.0.0.1:%d" % server.getsockname()[1]
