"""The protected route of the loopback run, by FastAPI and PyJWT as FastAPI's guide has it, with a key parsed once.

    app.py ALGORITHM FOLDER     the folder has the key, as `peers serve` writes it
"""

import socket
import sys
from pathlib import Path
from typing import Annotated

import jwt
import uvicorn
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import PlainTextResponse
from fastapi.security import OAuth2PasswordBearer

algorithm, folder = sys.argv[1:]
key = (Path(folder) / "key").read_bytes()
if algorithm != "HS256":
    key = load_pem_public_key(key)

app = FastAPI()
scheme = OAuth2PasswordBearer(tokenUrl="token")


async def claims(token: Annotated[str, Depends(scheme)]) -> dict:
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience="https://api.example.com",
            issuer="https://auth.example.com/realms/production",
            leeway=60,
        )
    except jwt.InvalidTokenError:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})


@app.get("/protected", response_class=PlainTextResponse)
async def protected(claims: Annotated[dict, Depends(claims)]) -> str:
    return claims["sub"]


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run([listener])
