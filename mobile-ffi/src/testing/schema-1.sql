-- The phone's store, version 1. Values of several fields are CBOR.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- The hub's state of each document (`base`), without what this phone has yet to deliver.
CREATE TABLE doc (
    doc BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    base BLOB,
    sum INTEGER NOT NULL DEFAULT 0,
    incarnation INTEGER NOT NULL DEFAULT 0,
    wanted INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Where each dispatch order stands and which inspection answers it.
CREATE TABLE ordered (
    fact BLOB PRIMARY KEY,
    case_doc BLOB NOT NULL,
    inspection BLOB NOT NULL
) STRICT;
CREATE INDEX ordered_inspection ON ordered (inspection);

-- Everything recorded on this phone, each with the change that carries it now.
CREATE TABLE intent (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    doc BLOB NOT NULL REFERENCES doc (doc),
    act BLOB NOT NULL,
    clock BLOB NOT NULL,
    fact BLOB,
    envelope BLOB,
    install INTEGER NOT NULL,
    seq INTEGER,
    hash BLOB NOT NULL,
    change BLOB NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    code TEXT,
    detail TEXT
) STRICT;
CREATE INDEX intent_doc ON intent (doc);
CREATE INDEX intent_hash ON intent (hash);
CREATE INDEX intent_waiting ON intent (n) WHERE state = 0;

-- Facts that were stated anew under another id.
CREATE TABLE alias (
    old BLOB PRIMARY KEY,
    new BLOB NOT NULL
) STRICT;

CREATE TABLE bucket (
    bucket BLOB PRIMARY KEY,
    epoch INTEGER,
    seq INTEGER
) STRICT;

CREATE TABLE member (
    bucket BLOB NOT NULL,
    doc BLOB NOT NULL,
    fresh INTEGER NOT NULL,
    PRIMARY KEY (bucket, doc)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_doc ON member (doc);

CREATE TABLE anchor (
    number INTEGER PRIMARY KEY,
    proof BLOB NOT NULL,
    at INTEGER NOT NULL,
    install INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    boot BLOB NOT NULL,
    sent_boot_ns INTEGER NOT NULL,
    received_boot_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    wall_ms INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    doc BLOB,
    detail TEXT NOT NULL
) STRICT;
