-- The row of an anchor also says what its request acknowledged, so that a sync adds one row and
-- changes none. How many anchors a phone has been given is the number of its newest one.

CREATE TABLE anchor_log (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    install INTEGER NOT NULL,
    head_seq INTEGER NOT NULL,
    head_fact BLOB,
    at INTEGER NOT NULL,
    proof BLOB NOT NULL,
    acknowledges INTEGER,
    boot BLOB,
    sent_boot_ns INTEGER,
    received_boot_ns INTEGER,
    PRIMARY KEY (device, number)
) STRICT;
INSERT INTO anchor_log
    SELECT a.device, a.number, a.install, a.head_seq, a.head_fact, a.at, a.proof,
           b.number, b.boot, b.sent_boot_ns, b.received_boot_ns
    FROM anchor a
    LEFT JOIN anchor b
        ON b.device = a.device AND b.number = a.number - 1 AND b.sent_boot_ns IS NOT NULL;
DROP TABLE anchor;
ALTER TABLE anchor_log RENAME TO anchor;
ALTER TABLE device DROP COLUMN anchors;

CREATE INDEX fact_claim ON fact (device, received_at) WHERE kind = 1;
