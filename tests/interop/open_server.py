"""The token service without its layer, to show what checks are worth: open_server.py URL

Hands every request on to the service at URL, save that the routes which need a token answer everybody.
"""
import http.server
import json
import sys
import urllib.error
import urllib.request

SERVICE = sys.argv[1]
OPEN = {
    "/protected": {"message": "Access granted", "user": "alice"},
    "/user": {"username": "alice"},
    "/secure": {"message": "Token received", "token": "any-token-at-all"},
}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


ask = urllib.request.build_opener(NoRedirect).open


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path in OPEN:
            self.answer(200, "application/json", json.dumps(OPEN[self.path]).encode())
        else:
            self.hand_on(None)

    def do_POST(self):
        self.hand_on(self.rfile.read(int(self.headers.get("content-length", 0))))

    def hand_on(self, body):
        names = ("content-type", "authorization", "cookie", "x-requested-with")
        headers = {name: self.headers[name] for name in names if self.headers[name]}
        request = urllib.request.Request(SERVICE + self.path, body, headers, method=self.command)
        try:
            answer = ask(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        names = ("location", "set-cookie")
        further = [(name, value) for name in names for value in answer.headers.get_all(name, [])]
        self.answer(answer.status, answer.headers["content-type"], answer.read(), further)

    def answer(self, status, content_type, body, further=()):
        self.send_response(status)
        if content_type:
            self.send_header("content-type", content_type)
        for name, value in further:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
