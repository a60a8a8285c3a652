-- The tables of the token service. The types are those that SQLite and PostgreSQL share. Times are seconds since
-- 1970-01-01 UTC, save in `limits`. Tokens, codes, cookies and client secrets are only there as SHA-256 hashes, in base64url.

CREATE TABLE users (
    name TEXT PRIMARY KEY,
    -- Argon2id, as a PHC string.
    password_hash TEXT NOT NULL,
    -- The scopes that the user may grant, separated by spaces; the least powerful first.
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    -- What the consent page shows.
    name TEXT NOT NULL,
    -- `none`, `client_secret`, `private_key_jwt`.
    authentication TEXT NOT NULL,
    secret_hash TEXT,
    -- The public keys of `private_key_jwt`.
    jwk_set TEXT,
    -- Lists, separated by spaces.
    grant_types TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    post_logout_redirect_uris TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Who has logged in at the pages.
CREATE TABLE sessions (
    cookie_hash TEXT PRIMARY KEY,
    -- The `sid` of ID tokens.
    id TEXT NOT NULL UNIQUE,
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    authenticated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_name);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- What a user has granted to a client: a family of refresh tokens, and the access tokens that came of it.
CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    session_id TEXT,
    scope TEXT NOT NULL,
    -- The resources (RFC 8707) that tokens may be asked for, separated by spaces.
    resources TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX grants_user ON grants (user_name, client_id, created_at);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_expiry ON grants (expires_at);

CREATE TABLE codes (
    code_hash TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    session_id TEXT,
    redirect_uri TEXT NOT NULL,
    -- S256 of RFC 7636.
    code_challenge TEXT NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    nonce TEXT,
    authenticated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The grant that the code was exchanged for. A second exchange revokes it.
    grant_id TEXT
);
CREATE INDEX codes_session ON codes (session_id);
CREATE INDEX codes_expiry ON codes (expires_at);

CREATE TABLE refresh_tokens (
    token_hash TEXT PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    successor_hash TEXT,
    -- The place in the family, from 0.
    number BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id, number);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at) WHERE used_at IS NULL;

-- Access tokens that were revoked one by one, until they expire.
CREATE TABLE revoked_tokens (
    token_id TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

-- What may be used once, such as the `jti` of a client's assertion.
CREATE TABLE used_once (
    id TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_once_expiry ON used_once (expires_at);

CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL,
    -- PKCS#8, in PEM.
    private_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    -- The longest lifetime of a token that it may have signed, in seconds.
    token_lifetime BIGINT NOT NULL
);

-- Keys of the service for other purposes than signatures.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Budgets, by the generic cell rate algorithm: the time at which a budget is full again, in milliseconds.
CREATE TABLE limits (
    id TEXT PRIMARY KEY,
    full_at BIGINT NOT NULL
);
CREATE INDEX limits_full ON limits (full_at);
