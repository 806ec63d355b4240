-- Figures on PostgreSQL. The same tables, columns and order as ../sqlite/0012_figures.sql.
-- What lists and statistics find and count cases and orders by, all worked out from their facts.
-- Outcomes of clocks are those of server/src/cases/project/outcome.rs, '' without such a clock;
-- `…_due` is when the clock that still runs is up. Places are WGS-84, 10^-7 degrees.

ALTER TABLE case_row ADD COLUMN class TEXT NOT NULL DEFAULT '';
ALTER TABLE case_row ADD COLUMN channel TEXT NOT NULL DEFAULT '';
ALTER TABLE case_row ADD COLUMN matter TEXT NOT NULL DEFAULT '';
ALTER TABLE case_row ADD COLUMN drill BIGINT NOT NULL DEFAULT 0;
ALTER TABLE case_row ADD COLUMN grave BIGINT NOT NULL DEFAULT 0;
ALTER TABLE case_row ADD COLUMN received_at BIGINT;
ALTER TABLE case_row ADD COLUMN told_at BIGINT;
ALTER TABLE case_row ADD COLUMN closed_on_time BIGINT;
ALTER TABLE case_row ADD COLUMN reopened BIGINT NOT NULL DEFAULT 0;
ALTER TABLE case_row ADD COLUMN referral BIGINT NOT NULL DEFAULT 0;
ALTER TABLE case_row ADD COLUMN lat BIGINT;
ALTER TABLE case_row ADD COLUMN lon BIGINT;
ALTER TABLE case_row ADD COLUMN cell BIGINT;
ALTER TABLE case_row ADD COLUMN registration TEXT NOT NULL DEFAULT '';
ALTER TABLE case_row ADD COLUMN dispatch TEXT NOT NULL DEFAULT '';
ALTER TABLE case_row ADD COLUMN dispatch_due BIGINT;
ALTER TABLE case_row ADD COLUMN coordination TEXT NOT NULL DEFAULT '';
ALTER TABLE case_row ADD COLUMN coordination_due BIGINT;
ALTER TABLE case_row ADD COLUMN telling TEXT NOT NULL DEFAULT '';
ALTER TABLE case_row ADD COLUMN telling_due BIGINT;

ALTER TABLE dispatch_order ADD COLUMN receipt TEXT NOT NULL DEFAULT '';
ALTER TABLE dispatch_order ADD COLUMN ended_at BIGINT;
ALTER TABLE dispatch_order ADD COLUMN arrival TEXT NOT NULL DEFAULT '';
ALTER TABLE dispatch_order ADD COLUMN arrival_due BIGINT;
ALTER TABLE dispatch_order ADD COLUMN arrived_at BIGINT;
ALTER TABLE dispatch_order ADD COLUMN feedback TEXT NOT NULL DEFAULT '';
ALTER TABLE dispatch_order ADD COLUMN feedback_due BIGINT;
ALTER TABLE dispatch_order ADD COLUMN fed_back_at BIGINT;
ALTER TABLE dispatch_order ADD COLUMN result TEXT NOT NULL DEFAULT '';
ALTER TABLE dispatch_order ADD COLUMN returns BIGINT NOT NULL DEFAULT 0;
ALTER TABLE dispatch_order ADD COLUMN urges BIGINT NOT NULL DEFAULT 0;

-- Every two characters that follow each other in a case's summary: what a search looks up.
CREATE TABLE case_gram (
    gram BIGINT NOT NULL,
    case_id BYTEA NOT NULL,
    PRIMARY KEY (gram, case_id)
);

DROP INDEX case_row_registered;
DROP INDEX case_row_unit;
CREATE INDEX case_row_registered ON case_row (registered_at, case_id);
CREATE INDEX case_row_unit ON case_row (unit_id, registered_at, case_id);
CREATE INDEX case_row_open ON case_row (registered_at, case_id) WHERE closed_at IS NULL;
CREATE INDEX case_row_review ON case_row (registered_at, case_id) WHERE verdict = 'needs_review';
CREATE INDEX case_row_cell ON case_row (cell, registered_at, case_id) WHERE cell IS NOT NULL;
CREATE INDEX case_row_stale ON case_row (case_id) WHERE class = '';
CREATE INDEX case_row_dispatch ON case_row (dispatch_due) WHERE dispatch_due IS NOT NULL;
CREATE INDEX case_row_coordination ON case_row (coordination_due)
    WHERE coordination_due IS NOT NULL;
CREATE INDEX case_row_telling ON case_row (telling_due) WHERE telling_due IS NOT NULL;
CREATE INDEX dispatch_order_issued ON dispatch_order (issued_at, order_id);
CREATE INDEX dispatch_order_unit ON dispatch_order (unit_id, issued_at, order_id);
CREATE INDEX dispatch_order_arrival ON dispatch_order (arrival_due) WHERE arrival_due IS NOT NULL;
CREATE INDEX dispatch_order_feedback ON dispatch_order (feedback_due)
    WHERE feedback_due IS NOT NULL;

-- Rows of an earlier program are worked out by a job, a few cases at a time.
INSERT INTO job (kind, key, payload, run_at)
    SELECT 'case.refill', 'figures', '""', 0 FROM meta
    WHERE key = 'application' AND EXISTS (SELECT 1 FROM case_row);
