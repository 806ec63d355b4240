-- The complainants' vault. The same tables, columns and order as ../postgres/0006_vault.sql.

-- Which master key wraps the record keys; the keys themselves are files.
CREATE TABLE vault (
    one INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT;
INSERT INTO vault (one, generation) VALUES (1, 1);

-- Who raised a case. `sealed` can be read with the record's own key, which `wrapped_key` holds under
-- the master key; `caller` is a keyed hash of the number. All three are empty once it is erased.
CREATE TABLE complainant (
    case_id BLOB PRIMARY KEY,
    generation INTEGER NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    caller BLOB,
    stored_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    erased_at INTEGER
) STRICT;
CREATE INDEX complainant_caller ON complainant (caller) WHERE caller IS NOT NULL;
CREATE INDEX complainant_generation ON complainant (generation) WHERE erased_at IS NULL;

-- Who looked, and why. `reason` is sealed like the record.
CREATE TABLE complainant_read (
    id INTEGER PRIMARY KEY,
    case_id BLOB NOT NULL,
    person_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    reason BLOB NOT NULL,
    salt BLOB NOT NULL
) STRICT;
CREATE INDEX complainant_read_case ON complainant_read (case_id);

-- What a team asks the complainant through the command centre.
CREATE TABLE call_back (
    id INTEGER PRIMARY KEY,
    case_id BLOB NOT NULL,
    asked_by BLOB NOT NULL,
    asked_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    question TEXT NOT NULL,
    answered_by BLOB,
    answered_at INTEGER,
    answer TEXT
) STRICT;
CREATE INDEX call_back_case ON call_back (case_id);
CREATE INDEX call_back_until ON call_back (until_at);
