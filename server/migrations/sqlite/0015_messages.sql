-- Text messages to complainants. The same tables, columns and order as ../postgres/0015_messages.sql.
-- No name and no number stands in any of them: a number is read from the vault when a message leaves.

-- Texts for messages, with placeholders: reference data. `asks` says that an opinion is asked for.
CREATE TABLE message_template (
    template TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    asks INTEGER NOT NULL,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by BLOB,
    closed_at INTEGER
) STRICT;
INSERT INTO message_template (template, text, asks, version, changed_at) VALUES
    ('result', '您反映的{matter}问题（编号{number}）已处理：{result}。如有疑问请拨打12345。', 0, 1, 0),
    ('result_opinion', '您反映的{matter}问题（编号{number}）已处理：{result}。请回复：1满意 2基本满意 3不满意。', 1, 1, 0);

-- The outbox. `state` is queued, sent, delivered, not_delivered or expired; `reason` a word of the
-- gateway's; `result` the fact that it tells of; `resent_as` the message that was sent in its place;
-- `contradicted_at` when the gateway said otherwise after it had settled.
CREATE TABLE message (
    message_id BLOB PRIMARY KEY,
    case_id BLOB NOT NULL,
    result BLOB,
    template TEXT NOT NULL,
    text TEXT NOT NULL,
    parts INTEGER NOT NULL,
    asks INTEGER NOT NULL,
    ordered_by BLOB NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    send_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    sent_at INTEGER,
    settled_at INTEGER,
    contradicted_at INTEGER,
    resent_as BLOB
) STRICT;
CREATE INDEX message_case ON message (case_id, message_id);
CREATE INDEX message_state ON message (state, message_id);
CREATE INDEX message_send ON message (send_at);

-- Calls of the gateway that were taken, so that none is taken twice.
CREATE TABLE gateway_nonce (
    nonce BLOB PRIMARY KEY,
    taken_at INTEGER NOT NULL
) STRICT;
CREATE INDEX gateway_nonce_taken ON gateway_nonce (taken_at);

-- What complainants wrote back: number and words are sealed like a record of the vault.
CREATE TABLE reply (
    reply_id BLOB PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE,
    received_at INTEGER NOT NULL,
    case_id BLOB,
    message_id BLOB,
    opinion TEXT NOT NULL,
    generation INTEGER NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    settled_at INTEGER,
    settled_by BLOB,
    erased_at INTEGER
) STRICT;
CREATE INDEX reply_open ON reply (reply_id) WHERE settled_at IS NULL;
CREATE INDEX reply_case ON reply (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX reply_settled ON reply (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX reply_generation ON reply (generation) WHERE erased_at IS NULL;

-- What lists and figures find a case by; see 0012_figures.sql. Cases of before have none of it.
ALTER TABLE case_row ADD COLUMN opinion TEXT NOT NULL DEFAULT '';
ALTER TABLE case_row ADD COLUMN opinion_open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_row ADD COLUMN undelivered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dispatch_order ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0;
