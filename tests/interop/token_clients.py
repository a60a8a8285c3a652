"""OAuth clients of Python at the token service, as their users call them: Authlib, requests-oauthlib and
httpx get a token by the password grant and open /protected with it; PyJWT and joserfc verify it from the
service's key set, found through its metadata."""
import asyncio
import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import httpx
import jwt as pyjwt
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import InvalidScopeError, LegacyApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError
from requests_oauthlib import OAuth2Session

GOOD = {"username": "alice", "password": "wonderland"}
BAD = {"username": "alice", "password": "looking-glass"}


def raised(error, call):
    """Whether the call fails in this way; what it did instead, else."""
    try:
        return f"no error: {call()}"
    except error:
        return True
    except Exception as other:
        return f"{type(other).__name__}: {other}"


def run(checks, base):
    token_url, protected = f"{base}/token", f"{base}/protected"

    # It does not send this scope, and still raises a warning when another one comes back.
    session = OAuth2Session(client=LegacyApplicationClient(client_id="app"), scope=["read"])
    token = session.fetch_token(token_url, include_client_id=True, **GOOD)
    checks.equal(token["scope"], ["read"], "requests-oauthlib: scope")
    checks.equal(session.get(protected).status_code, 200, "requests-oauthlib: /protected")
    other = OAuth2Session(client=LegacyApplicationClient(client_id=None))
    wrong = raised(InvalidGrantError, lambda: other.fetch_token(token_url, **BAD))
    checks.equal(wrong, True, "requests-oauthlib: a wrong password")
    admin = OAuth2Session(client=LegacyApplicationClient(client_id=None, scope=["admin"]))
    wrong = raised(InvalidScopeError, lambda: admin.fetch_token(token_url, **GOOD))
    checks.equal(wrong, True, "requests-oauthlib: a scope that nobody has")

    session = AuthlibSession("app", token_endpoint_auth_method="none", scope="read")
    session.fetch_token(token_url, **GOOD)
    checks.equal(session.get(protected).status_code, 200, "Authlib: /protected")
    for method in ("client_secret_basic", "client_secret_post"):
        client = AuthlibSession("app", "secret", token_endpoint_auth_method=method)
        try:
            seen = client.fetch_token(token_url, **GOOD)
        except OAuthError as error:
            seen = error.error
        checks.equal(seen, "invalid_client", f"Authlib: {method} of an unknown client")

    async def authlib_async():
        async with AsyncOAuth2Client("app", token_endpoint_auth_method="none") as client:
            await client.fetch_token(token_url, **GOOD)
            return (await client.get(protected)).status_code

    checks.equal(asyncio.run(authlib_async()), 200, "Authlib on httpx: /protected")

    token = httpx.post(token_url, data=GOOD).json()["access_token"]
    answer = httpx.get(protected, headers={"authorization": f"Bearer {token}"})
    checks.equal(answer.json(), {"message": "Access granted", "user": "alice"}, "httpx: /protected")

    metadata = httpx.get(f"{base}/.well-known/oauth-authorization-server").json()
    keys = httpx.get(metadata["jwks_uri"]).json()
    claims = joserfc_jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims
    checks.equal(claims["sub"], "alice", "joserfc: sub")
    checks.equal(claims["exp"] - claims["iat"], 1800, "joserfc: lifetime")
    key = pyjwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = pyjwt.decode(token, key, algorithms=["ES256"], issuer=base, audience=base)
    checks.equal(sorted(claims), ["aud", "auth_time", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"], "PyJWT: claims")
