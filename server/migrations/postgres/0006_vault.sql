-- The complainants' vault. The same tables, columns and order as ../sqlite/0006_vault.sql.

-- Which master key wraps the record keys; the keys themselves are files.
CREATE TABLE vault (
    one BIGINT PRIMARY KEY,
    generation BIGINT NOT NULL
);
INSERT INTO vault (one, generation) VALUES (1, 1);

-- Who raised a case. `sealed` can be read with the record's own key, which `wrapped_key` holds under
-- the master key; `caller` is a keyed hash of the number. All three are empty once it is erased.
CREATE TABLE complainant (
    case_id BYTEA PRIMARY KEY,
    generation BIGINT NOT NULL,
    wrapped_key BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    caller BYTEA,
    stored_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    erased_at BIGINT
);
CREATE INDEX complainant_caller ON complainant (caller) WHERE caller IS NOT NULL;
CREATE INDEX complainant_generation ON complainant (generation) WHERE erased_at IS NULL;

-- Who looked, and why. `reason` is sealed like the record.
CREATE TABLE complainant_read (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id BYTEA NOT NULL,
    person_id BYTEA NOT NULL,
    at BIGINT NOT NULL,
    purpose TEXT NOT NULL,
    reason BYTEA NOT NULL,
    salt BYTEA NOT NULL
);
CREATE INDEX complainant_read_case ON complainant_read (case_id);

-- What a team asks the complainant through the command centre.
CREATE TABLE call_back (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id BYTEA NOT NULL,
    asked_by BYTEA NOT NULL,
    asked_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    question TEXT NOT NULL,
    answered_by BYTEA,
    answered_at BIGINT,
    answer TEXT
);
CREATE INDEX call_back_case ON call_back (case_id);
CREATE INDEX call_back_until ON call_back (until_at);
