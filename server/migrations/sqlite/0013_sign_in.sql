-- How people sign in. The same tables, columns and order as ../postgres/0013_sign_in.sql.

-- A person's password (a PHC string of Argon2id) and the secret of their authenticator, sealed.
-- `totp_step` is the last half minute whose code was used.
CREATE TABLE sign_in (
    person_id BLOB PRIMARY KEY REFERENCES person (person_id),
    login TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    totp BLOB NOT NULL,
    totp_step INTEGER NOT NULL,
    set_at INTEGER NOT NULL
) STRICT;

-- Codes for who has lost the authenticator; a used one is deleted.
CREATE TABLE recovery_code (
    code_hash BLOB PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES person (person_id)
) STRICT;
CREATE INDEX recovery_code_person ON recovery_code (person_id);

-- One-time invitations, and what the invited has chosen so far.
CREATE TABLE sign_in_invitation (
    code_hash BLOB PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES person (person_id),
    expires_at INTEGER NOT NULL,
    login TEXT,
    password TEXT,
    totp BLOB
) STRICT;
CREATE INDEX sign_in_invitation_person ON sign_in_invitation (person_id);

-- Who is signed in; an ended session is deleted.
CREATE TABLE session (
    token_hash BLOB PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES person (person_id),
    method TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_person ON session (person_id);
CREATE INDEX session_created ON session (created_at);

-- Tries that failed lately, by a keyed hash of the account or the address; none before `open_at`.
CREATE TABLE sign_in_tries (
    key BLOB PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    open_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_tries_last ON sign_in_tries (last_at);

-- Who a person is at the identity provider.
CREATE TABLE identity (
    person_id BLOB PRIMARY KEY REFERENCES person (person_id),
    identity TEXT NOT NULL UNIQUE,
    linked_at INTEGER NOT NULL
) STRICT;
