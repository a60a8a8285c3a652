-- Client ID Metadata Documents: what clients that are not registered say about themselves, at the URL that is their ID.

CREATE TABLE client_documents (
    url TEXT PRIMARY KEY,
    -- The JSON document, as it was fetched.
    document TEXT NOT NULL,
    -- The public keys at its `jwks_uri`, if it has one.
    jwk_set TEXT,
    -- When `document` was seen to be another one than before.
    changed_at BIGINT NOT NULL,
    fetched_at BIGINT NOT NULL,
    -- Until then it is used without another fetch.
    fresh_until BIGINT NOT NULL,
    -- Until then it is used while its host cannot be reached.
    expires_at BIGINT NOT NULL
);
CREATE INDEX client_documents_age ON client_documents (fetched_at, url);
CREATE INDEX client_documents_expiry ON client_documents (expires_at);
