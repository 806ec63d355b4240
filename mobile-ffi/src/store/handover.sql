-- What colleagues handed over without a network. Columns marked `sealed` open with the data key only.

-- The newest certificate of each colleague met or carried for.
CREATE TABLE colleague (
    device BLOB PRIMARY KEY,
    certificate BLOB NOT NULL -- sealed
) STRICT;

-- Signed lists of what authors handed over: the proofs of what is carried.
CREATE TABLE statement (
    id BLOB PRIMARY KEY,
    body BLOB NOT NULL -- sealed
) STRICT;

-- The first statement that made a document known to a phone.
CREATE TABLE introduced (
    doc BLOB NOT NULL,
    receiver BLOB NOT NULL,
    statement BLOB NOT NULL REFERENCES statement (id),
    PRIMARY KEY (doc, receiver)
) STRICT, WITHOUT ROWID;

-- Colleagues' changes, beside the hub's state until the hub has them. `place` is the newest record of
-- this phone that was there before: what was recorded later may build on it.
CREATE TABLE carried (
    n INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    doc BLOB NOT NULL REFERENCES doc (doc),
    device BLOB NOT NULL,
    statement BLOB NOT NULL REFERENCES statement (id),
    fact BLOB,
    place INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    change BLOB NOT NULL, -- sealed
    state INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX carried_doc ON carried (doc);
CREATE INDEX carried_waiting ON carried (n) WHERE state = 0;

-- Facts of cases that a colleague passed on, until the hub itself has spoken.
CREATE TABLE told (
    fact BLOB PRIMARY KEY,
    case_doc BLOB NOT NULL,
    envelope BLOB NOT NULL -- sealed
) STRICT;
CREATE INDEX told_case ON told (case_doc);
