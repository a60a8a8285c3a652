-- Client ID Metadata Documents: what clients that are not registered say about themselves, at the URL that is their ID.

CREATE TABLE client_documents (
    url TEXT PRIMARY KEY,
    -- The JSON document, as it was fetched.
    document TEXT NOT NULL,
    -- The public keys at its `jwks_uri`, if it has one.
    jwk_set TEXT,
    fetched_at BIGINT NOT NULL,
    -- Until then it is used without another fetch.
    fresh_until BIGINT NOT NULL,
    -- Until then it is used while its host cannot be reached. After that, the row only says that the client is known here.
    expires_at BIGINT NOT NULL,
    -- When it was last used, to about an hour.
    used_at BIGINT NOT NULL
);
CREATE INDEX client_documents_use ON client_documents (used_at, url);

-- The SHA-256 hash of the document that the user was asked about, in base64url; for such a client only.
ALTER TABLE codes ADD COLUMN client_document TEXT;
ALTER TABLE grants ADD COLUMN client_document TEXT;
CREATE INDEX grants_client_document ON grants (client_id, expires_at) WHERE client_document IS NOT NULL;
