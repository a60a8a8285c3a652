"""Makes keys, and tokens signed by PyJWT, joserfc and, for ML-DSA, cryptography: mint.py FOLDER

Writes into FOLDER:
  keys.jwks.json       public keys, one for each algorithm (kid = alg), and `rsa-any`, `ed-any` without `alg`
  hmac.jwks.json       the same for HMAC: one `oct` key for each of HS256, HS384, HS512
  unusable.jwks.json   a set without one key that could verify
  private.jwks.json    the private keys, for mint.mjs
  KID.pem, KID.private.pem, certificate.pem
  secret.bin           the HMAC key of hmac.jwks.json, raw octets
  tokens.json          [{name, by, alg, kid, token, issuer, audience, expect, why, expired}]
  clock.json           tokens for a clock that stands still, with their times
  types.json           tokens of other kinds than access tokens
"""
import base64
import datetime
import hashlib
import hmac
import json
import sys
import time
import warnings
from pathlib import Path

import jwt as pyjwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from joserfc import jwe
from joserfc import jwt as joserfc_jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OctKey, import_key

# joserfc warns of `EdDSA`, which RFC 9864 deprecates; tokens with it are everywhere.
warnings.simplefilter("ignore", SecurityWarning)

ISSUER = "https://issuer.example"
AUDIENCE = "https://api.example"
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
ED = ["EdDSA", "Ed25519"]
HMAC = ["HS256", "HS384", "HS512"]
# Neither PyJWT nor joserfc has them.
ML_DSA = {
    "ML-DSA-44": mldsa.MLDSA44PrivateKey,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey,
}


def b64(data):
    if not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Mint:
    def __init__(self, folder):
        self.folder = folder
        self.now = int(time.time())
        self.private = {}  # kid -> (key object, private JWK)
        self.public = []  # JWKs
        self.tokens = []

    def write(self, name, value):
        data = value if isinstance(value, bytes) else json.dumps(value, indent=1).encode()
        (self.folder / name).write_bytes(data)

    # -- keys

    def write_pem(self, kid, key):
        private_pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public_pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.write(f"{kid}.private.pem", private_pem)
        self.write(f"{kid}.pem", public_pem)
        return private_pem, public_pem

    def add_key(self, kid, kty, key, alg=None):
        private_pem, public_pem = self.write_pem(kid, key)
        jwk = import_key(private_pem, kty).as_dict(private=True)
        members = {"kid": kid, "use": "sig"} | ({"alg": alg} if alg else {})
        self.private[kid] = (key, jwk | members)
        public = import_key(public_pem, kty).as_dict(private=False)
        self.public.append(public | members)

    def make_keys(self):
        for alg in RSA:
            self.add_key(alg, "RSA", rsa.generate_private_key(65537, 2048), alg)
        for alg, curve in CURVES.items():
            self.add_key(alg, "EC", ec.generate_private_key(curve()), alg)
        for alg in ED:
            self.add_key(alg, "OKP", ed25519.Ed25519PrivateKey.generate(), alg)
        self.add_key("rsa-any", "RSA", rsa.generate_private_key(65537, 3072))
        self.add_key("ed-any", "OKP", ed25519.Ed25519PrivateKey.generate())
        self.ml_dsa = {alg: private.generate() for alg, private in ML_DSA.items()}
        for alg, key in self.ml_dsa.items():
            self.write_pem(alg, key)
            public = b64(key.public_key().public_bytes_raw())
            self.public.append({"kty": "AKP", "kid": alg, "use": "sig", "alg": alg, "pub": public})
        self.write("keys.jwks.json", {"keys": self.public})

        # Every octet value, so that a program that reads the file as text fails.
        self.secret = bytes(range(256))[::4] + b"\n"
        k = b64(self.secret)
        octs = [{"kty": "oct", "kid": alg, "alg": alg, "use": "sig", "k": k} for alg in HMAC]
        self.write("secret.bin", self.secret)
        self.write("short-secret.bin", self.secret[:31])
        self.write("hmac.jwks.json", {"keys": octs})
        for jwk in octs:
            self.private[jwk["alg"]] = (self.secret, jwk)
        self.write("private.jwks.json", {"keys": [jwk for _, jwk in self.private.values()]})

        encryption = self.public[0] | {"use": "enc"}
        self.write("unusable.jwks.json", {"keys": [encryption, {"kty": "AKP", "kid": "x"}]})
        self.write("empty.jwks.json", {"keys": []})
        self.write("broken.jwks.json", b'{"keys": [')
        self.write_certificate()

    def write_certificate(self):
        key, _ = self.private["ES256"]
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.example")])
        start = datetime.datetime(2025, 1, 1)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
        builder = builder.public_key(key.public_key()).serial_number(1)
        builder = builder.not_valid_before(start).not_valid_after(datetime.datetime(2100, 1, 1))
        certificate = builder.sign(key, hashes.SHA256())
        self.write("certificate.pem", certificate.public_bytes(serialization.Encoding.PEM))

    # -- signing

    def claims(self, **changes):
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "alice",
            "exp": self.now + 3600,
            "iat": self.now,
            "groups": ["a", "b"],
            "name": "Zoë \U0001f980",
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def pyjwt(self, kid, alg, claims, headers=None):
        # PyJWT judges some claims itself before it signs; the octets are what matters here.
        payload = json.dumps(claims).encode()
        headers = {"kid": kid} | (headers or {})
        return pyjwt.api_jws.encode(payload, self.private[kid][0], alg, headers)

    def joserfc(self, kid, alg, claims, headers=None):
        _, jwk = self.private[kid]
        key = import_key({k: v for k, v in jwk.items() if k not in ("alg", "use")})
        header = {"alg": alg, "kid": kid} | (headers or {})
        return joserfc_jwt.encode(header, claims, key, algorithms=[alg])

    def cryptography(self, alg, claims):
        """RFC 9964: the signature over the signing input, with an empty context."""
        signed = f'{b64({"alg": alg, "kid": alg, "typ": "JWT"})}.{b64(claims)}'
        return f"{signed}.{b64(self.ml_dsa[alg].sign(signed.encode()))}"

    def add(self, name, by, alg, kid, token, why, good=False, expired=False):
        self.tokens.append(
            {
                "name": name,
                "by": by,
                "alg": alg,
                "kid": kid,
                "token": token,
                "issuer": ISSUER,
                "audience": AUDIENCE,
                "expect": 200 if good else 401,
                "why": why,
                "expired": expired,
            }
        )

    def good_tokens(self):
        pairs = [(alg, alg) for alg in HMAC + RSA + list(CURVES) + ED]
        pairs += [(alg, "rsa-any") for alg in RSA] + [(alg, "ed-any") for alg in ED]
        for alg, kid in pairs:
            if alg != "Ed25519":  # PyJWT has no such name
                token = self.pyjwt(kid, alg, self.claims())
                self.add(f"{alg} by {kid}", "pyjwt", alg, kid, token, "good", good=True)
            token = self.joserfc(kid, alg, self.claims())
            self.add(f"{alg} by {kid}", "joserfc", alg, kid, token, "good", good=True)
        for alg in ML_DSA:
            token = self.cryptography(alg, self.claims())
            self.add(f"{alg} by {alg}", "cryptography", alg, alg, token, "good", good=True)
        more = {
            "one of several audiences": self.claims(aud=["https://other.example", AUDIENCE]),
            "fractions of a second": self.claims(exp=self.now + 3600.5),
            "no iat": self.claims(iat=None),
        }
        for name, claims in more.items():
            token = self.pyjwt("ES256", "ES256", claims)
            self.add(name, "pyjwt", "ES256", "ES256", token, "good", good=True)
        for typ in ["JWT", "at+jwt", "application/at+jwt"]:
            token = self.pyjwt("ES256", "ES256", self.claims(), {"typ": typ})
            self.add(f"typ {typ}", "pyjwt", "ES256", "ES256", token, "good", good=True)

    def bad_tokens(self):
        now = self.now
        wrong = {
            "expired": (self.claims(exp=now - 600), True),
            "no exp": (self.claims(exp=None), False),
            "exp as a string": (self.claims(exp=str(now + 3600)), False),
            "not valid yet": (self.claims(nbf=now + 600), False),
            "issued in the future": (self.claims(iat=now + 600), False),
            "wrong issuer": (self.claims(iss="https://evil.example"), False),
            "issuer with a slash": (self.claims(iss=ISSUER + "/"), False),
            "issuer in a list": (self.claims(iss=[ISSUER]), False),
            "no issuer": (self.claims(iss=None), False),
            "wrong audience": (self.claims(aud="https://other.example"), False),
            "audience with more behind it": (self.claims(aud=AUDIENCE + ".evil"), False),
            "empty audience": (self.claims(aud=[]), False),
            "no audience": (self.claims(aud=None), False),
            "subject as a number": (self.claims(sub=1), False),
            "bound to a key": (self.claims(cnf={"jkt": b64(hashlib.sha256(b"x").digest())}), False),
            "an ID token": (self.claims(at_hash=b64(bytes(16))), False),
            "an event token": (self.claims(events={"https://event.example": {}}), False),
        }
        for by, sign in (("pyjwt", self.pyjwt), ("joserfc", self.joserfc)):
            for name, (claims, expired) in wrong.items():
                for alg in ("RS256", "ES256") if name == "expired" else ("ES256",):
                    token = sign(alg, alg, claims)
                    self.add(f"{name}, {alg}", by, alg, alg, token, name, expired=expired)

        # What the libraries refuse to make is put together by hand.
        header, payload, signature = self.pyjwt("ES256", "ES256", self.claims()).split(".")
        other = self.pyjwt("ES256", "ES256", self.claims(sub="mallory"))

        def add(name, alg, kid, token, by="pyjwt"):
            self.add(name, by, alg, kid, token, name)

        for alg, key in self.ml_dsa.items():
            *_, theirs = self.cryptography(alg, self.claims()).split(".")
            ours, _ = self.cryptography(alg, self.claims(sub="mallory")).rsplit(".", 1)
            add(f"signature of another token, {alg}", alg, alg, f"{ours}.{theirs}", by="cryptography")
            in_context = b64(key.sign(ours.encode(), b"context"))
            add(f"signature with a context, {alg}", alg, alg, f"{ours}.{in_context}", by="cryptography")

        add("payload of another", "ES256", "ES256", f"{header}.{other.split('.')[1]}.{signature}")
        add("no signature", "ES256", "ES256", f"{header}.{payload}.")
        add("two parts", "ES256", "ES256", f"{header}.{payload}")
        add("four parts", "ES256", "ES256", f"{header}.{payload}.{signature}.x")
        add("no token at all", "ES256", "ES256", "abc")
        none = pyjwt.encode(self.claims(), None, "none", {"kid": "ES256"})
        add("alg none", "none", "ES256", none)
        add("alg none, signature kept", "none", "ES256", none + signature)
        add("key of another kid", "RS256", "RS384", self.pyjwt_as("RS256", "RS256", "RS384"))
        add("unknown kid", "ES256", "x", self.pyjwt_as("ES256", "ES256", "x"))
        add("algorithm the key is not for", "RS512", "RS256", self.pyjwt("RS256", "RS512", self.claims()))
        add("odd typ", "ES256", "ES256", self.pyjwt("ES256", "ES256", self.claims(), {"typ": "dpop+jwt"}))
        crit = {"crit": ["x"], "x": 1}
        add("crit", "ES256", "ES256", self.pyjwt("ES256", "ES256", self.claims(), crit))
        for kid in ("RS256", "rsa-any"):
            public = (self.folder / f"{kid}.pem").read_bytes()
            signed = f'{b64({"alg": "HS256", "kid": kid})}.{payload}'
            tag = hmac.digest(public, signed.encode(), "sha256")
            add(f"public key {kid} as secret", "HS256", kid, f"{signed}.{b64(tag)}")
        stranger = ec.generate_private_key(ec.SECP256R1())
        add("signed by a stranger", "ES256", "ES256", pyjwt.encode(
            self.claims(), stranger, "ES256", {"kid": "ES256"}))
        embedded = import_key(stranger.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), "EC")
        add("key in the header", "ES256", "ES256", pyjwt.encode(
            self.claims(), stranger, "ES256", {"kid": "ES256", "jwk": embedded.as_dict(private=False)}))
        encrypted = jwe.encrypt_compact(
            {"alg": "dir", "enc": "A256GCM", "kid": "ES256"},
            json.dumps(self.claims()), OctKey.generate_key(256))
        add("encrypted", "dir", "ES256", encrypted, by="joserfc")

    def pyjwt_as(self, key, alg, kid):
        return pyjwt.encode(self.claims(), self.private[key][0], alg, {"kid": kid})

    # -- a clock that stands still

    def clock_tokens(self):
        start = 1_700_000_000
        fixed = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice"}
        full = fixed | {"exp": start + 600, "iat": start, "client_id": "app", "jti": "1"}
        rfc9068 = []
        for typ, good in [("at+jwt", True), ("application/at+jwt", True), ("AT+JWT", True), ("JWT", False)]:
            token = self.pyjwt("ES256", "ES256", full, {"typ": typ})
            rfc9068.append({"name": f"typ {typ}", "token": token, "expect": 200 if good else 401})
        for missing in ["exp", "sub", "client_id", "iat", "jti", "iss", "aud"]:
            claims = {name: value for name, value in full.items() if name != missing}
            token = self.pyjwt("ES256", "ES256", claims, {"typ": "at+jwt"})
            rfc9068.append({"name": f"no {missing}", "token": token, "expect": 401})
        self.write("clock.json", {
            "start": start,
            "plain": self.pyjwt("ES256", "ES256", fixed | {"exp": start + 600, "nbf": start}),
            "rfc9068": rfc9068,
        })

    # -- kinds of tokens

    def type_tokens(self):
        types = ["txntoken+jwt", "application/txntoken+jwt", "wit+jwt", "at+jwt", "JWT", "dpop+jwt", None]
        tokens = [self.pyjwt("ES256", "ES256", self.claims(), {"typ": typ}) for typ in types]
        self.write("types.json", [{"typ": typ, "token": token} for typ, token in zip(types, tokens)])


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    mint = Mint(folder)
    mint.make_keys()
    mint.good_tokens()
    mint.bad_tokens()
    mint.clock_tokens()
    mint.type_tokens()
    mint.write("tokens.json", mint.tokens)
    print(f"{len(mint.tokens)} tokens by PyJWT, joserfc and cryptography")


if __name__ == "__main__":
    main()
