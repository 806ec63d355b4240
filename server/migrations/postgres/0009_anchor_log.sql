-- The row of an anchor also says what its request acknowledged, so that a sync adds one row and
-- changes none. How many anchors a phone has been given is the number of its newest one.

CREATE TABLE anchor_log (
    device BYTEA NOT NULL,
    number BIGINT NOT NULL,
    install BIGINT NOT NULL,
    head_seq BIGINT NOT NULL,
    head_fact BYTEA,
    at BIGINT NOT NULL,
    proof BYTEA NOT NULL,
    acknowledges BIGINT,
    boot BYTEA,
    sent_boot_ns BIGINT,
    received_boot_ns BIGINT,
    PRIMARY KEY (device, number)
);
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
