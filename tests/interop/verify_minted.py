"""Verifies with PyJWT, joserfc and, for ML-DSA, cryptography what the crate minted: verify_minted.py MINTED.JSON

The file is written by the test `issuer::tokens_for_other_libraries`. Each token must hold in each
library that has its algorithm, claims and all, and must not hold any more once it is changed, or under another's key.
"""
import base64
import json
import sys
import warnings

import jwt as pyjwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from harness import Checks
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet, OctKey
from jwt.algorithms import ECAlgorithm

# joserfc warns of `EdDSA`, which RFC 9864 deprecates.
warnings.simplefilter("ignore", SecurityWarning)

REQUIRED = ["iss", "sub", "aud", "exp", "iat", "jti"]
# PyJWT has no such name.
NOT_IN_PYJWT = {"Ed25519"}
ML_DSA = {
    "ML-DSA-44": mldsa.MLDSA44PublicKey,
    "ML-DSA-65": mldsa.MLDSA65PublicKey,
    "ML-DSA-87": mldsa.MLDSA87PublicKey,
}
ALGORITHMS = 17


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Minted:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            minted = json.load(file)
        self.issuer, self.audience = minted["issuer"], minted["audience"]
        self.tokens = minted["tokens"]
        self.jwks = {jwk["kid"]: jwk for jwk in minted["jwks"]["keys"]}
        known = [jwk for jwk in minted["jwks"]["keys"] if jwk["alg"] not in ML_DSA]
        self.set = KeySet.import_key_set({"keys": known})
        self.secret = decoded(minted["secret"])

    def pyjwt(self, token, alg, kid):
        key = pyjwt.PyJWK(self.jwks[kid]).key if kid in self.jwks else self.secret
        return pyjwt.decode(
            token, key, [alg], audience=self.audience, issuer=self.issuer, options={"require": REQUIRED}
        )

    def joserfc(self, token, alg, kid):
        # joserfc finds the key in the set by the `kid` of the token.
        key = self.set if kid in self.jwks else OctKey.import_key(self.secret)
        decoded = joserfc_jwt.decode(token, key, algorithms=[alg])
        claims = {name: {"essential": True} for name in REQUIRED}
        claims["iss"]["value"], claims["aud"]["value"] = self.issuer, self.audience
        joserfc_jwt.JWTClaimsRegistry(**claims).validate(decoded.claims)
        return decoded.claims

    def cryptography(self, token, alg, kid):
        jwk = self.jwks[kid]
        message, signature = token.rsplit(".", 1)
        public = ML_DSA[jwk["alg"]].from_public_bytes(decoded(jwk["pub"]))
        public.verify(decoded(signature), message.encode())
        assert jwk["kty"] == "AKP" and jwk["alg"] == alg
        return json.loads(decoded(message.split(".")[1]))


def holds(verify, *arguments):
    try:
        return verify(*arguments)
    except (pyjwt.PyJWTError, JoseError, InvalidSignature, ValueError):
        return None


def changed(token):
    """The same token for another user, under the same signature."""
    header, payload, signature = token.split(".")
    claims = json.loads(decoded(payload))
    other = json.dumps(claims | {"sub": "mallory"}).encode()
    return f"{header}.{base64.urlsafe_b64encode(other).rstrip(b'=').decode()}.{signature}"


def main():
    minted, checks = Minted(sys.argv[1]), Checks()
    checks.equal(len(minted.tokens), ALGORITHMS, "algorithms")
    of_another = {"sub": "mallory"}
    for item in minted.tokens:
        alg, kid, token = item["alg"], item["kid"], item["token"]
        libraries = {"joserfc": minted.joserfc}
        if alg in ML_DSA:
            libraries = {"cryptography": minted.cryptography}
        elif alg not in NOT_IN_PYJWT:
            libraries["PyJWT"] = minted.pyjwt
        for name, verify in libraries.items():
            claims = holds(verify, token, alg, kid) or of_another
            seen = (claims["sub"], claims.get("name"), claims.get("exp", 0) - claims.get("iat", 0))
            checks.equal(seen, ("alice", "Zoë \U0001f980", 1800), f"{alg} by {name}")
            checks.equal(holds(verify, changed(token), alg, kid), None, f"{alg} changed, by {name}")
        header = pyjwt.get_unverified_header(token)
        checks.equal(header, {"alg": alg, "kid": kid, "typ": "JWT"}, f"header of {alg}")
    stranger = Minted(sys.argv[1])
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    stranger.jwks["ES256"] = json.loads(ECAlgorithm.to_jwk(public)) | {"alg": "ES256"}
    (token,) = (item["token"] for item in minted.tokens if item["kid"] == "ES256")
    checks.equal(holds(stranger.pyjwt, token, "ES256", "ES256"), None, "the key of a stranger")
    for kid, jwk in minted.jwks.items():
        private = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} & jwk.keys()
        checks.equal(private, set(), f"private members of {kid}")

    checks.end("tokens minted by the crate")


if __name__ == "__main__":
    main()
