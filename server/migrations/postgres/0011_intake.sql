-- Intake: kinds of matter, repeats, imports. The same tables, columns and order as ../sqlite/0011_intake.sql.

-- Kinds of matter, the reference data of intake. A kind is closed, never deleted: cases name it.
CREATE TABLE matter (
    matter TEXT PRIMARY KEY,
    zh TEXT NOT NULL,
    en TEXT NOT NULL,
    class TEXT NOT NULL,
    handling TEXT NOT NULL,
    grave BIGINT NOT NULL,
    public BIGINT NOT NULL,
    version BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by BYTEA,
    closed_at BIGINT
);
INSERT INTO matter (matter, zh, en, class, handling, grave, public, version, changed_at) VALUES
    ('street_vending', '占道经营', 'street vending', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('shop_overflow', '店外经营', 'shops spreading onto the pavement', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('open_barbecue', '露天烧烤', 'open-air barbecue', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('noise', '噪声扰民', 'noise', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('night_construction', '夜间施工', 'building work at night', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('illegal_building', '违法建设', 'illegal building', 'complaint', 'complex', 0, 1, 1, 0),
    ('litter', '乱倒垃圾', 'dumped rubbish', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('open_burning', '露天焚烧', 'open burning', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('mud_trucks', '渣土车撒漏', 'mud trucks', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('construction_dust', '施工扬尘', 'dust of building sites', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('outdoor_advertising', '违规户外广告', 'outdoor advertising', 'complaint', 'complex', 0, 1, 1, 0),
    ('small_ads', '乱贴小广告', 'fly-posting', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('parking', '违规停车', 'parking on pavements', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('occupied_road', '占道停放', 'blocked pavement', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('shared_bikes', '共享单车乱停放', 'shared bicycles left in the way', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('smoke', '油烟扰民', 'kitchen smoke', 'complaint', 'on_the_spot', 0, 1, 1, 0),
    ('sewage', '污水外溢', 'sewage and drains', 'help', 'complex', 0, 1, 1, 0),
    ('road_damage', '道路破损', 'damaged roads', 'help', 'complex', 0, 1, 1, 0),
    ('manhole', '井盖缺失', 'missing manhole covers', 'help', 'on_the_spot', 0, 1, 1, 0),
    ('street_lights', '路灯故障', 'street lights', 'help', 'complex', 0, 1, 1, 0),
    ('public_facilities', '公共设施损坏', 'damaged public facilities', 'help', 'complex', 0, 1, 1, 0),
    ('green_space', '毁绿占绿', 'damaged green space', 'complaint', 'complex', 0, 1, 1, 0),
    ('river', '河道污染', 'polluted rivers', 'complaint', 'complex', 0, 1, 1, 0),
    ('snow', '清雪除冰', 'snow and ice', 'help', 'on_the_spot', 0, 1, 1, 0),
    ('officer_conduct', '执法人员作风', 'conduct of officers', 'complaint', 'complex', 1, 0, 1, 0),
    ('policy_question', '政策咨询', 'questions on rules', 'consultation', 'on_the_spot', 0, 0, 1, 0),
    ('permit_question', '审批咨询', 'questions on permits', 'consultation', 'on_the_spot', 0, 0, 1, 0),
    ('suggestion', '意见建议', 'suggestions', 'suggestion', 'on_the_spot', 0, 1, 1, 0),
    ('other', '其他', 'other', 'complaint', 'complex', 0, 0, 1, 0);

-- What repeats are looked for by, one row for each case. The position is WGS-84, in units of 10^-7
-- degrees; `cell` is the square of the grid that it lies in.
CREATE TABLE case_trace (
    case_id BYTEA PRIMARY KEY,
    matter TEXT NOT NULL,
    class TEXT NOT NULL,
    grave BIGINT NOT NULL,
    registered_at BIGINT NOT NULL,
    lat_e7 BIGINT,
    lon_e7 BIGINT,
    cell BIGINT
);
CREATE INDEX case_trace_cell ON case_trace (cell, registered_at) WHERE cell IS NOT NULL;
CREATE INDEX case_trace_registered ON case_trace (registered_at);
CREATE INDEX case_trace_matter ON case_trace (matter, registered_at);
CREATE INDEX case_trace_class ON case_trace (class, registered_at);

-- Cases whose texts are alike share a band.
CREATE TABLE case_band (
    band BIGINT NOT NULL,
    registered_at BIGINT NOT NULL,
    case_id BYTEA NOT NULL,
    PRIMARY KEY (band, registered_at, case_id)
);

-- Statements that stand: `case_id` is the matter of `of_case` again.
CREATE TABLE repeat_link (
    fact_id BYTEA PRIMARY KEY,
    case_id BYTEA NOT NULL,
    of_case BYTEA NOT NULL,
    stated_at BIGINT NOT NULL
);
CREATE INDEX repeat_link_case ON repeat_link (case_id);
CREATE INDEX repeat_link_of ON repeat_link (of_case);

-- All cases that such statements join share a chain, named by the least of their ids.
CREATE TABLE repeat_chain (
    case_id BYTEA PRIMARY KEY,
    chain BYTEA NOT NULL
);
CREATE INDEX repeat_chain_chain ON repeat_chain (chain);
-- Whoever joins or parts chains holds this row.
INSERT INTO meta (key, value) VALUES ('repeat_chains', 'lock');

-- What came from elsewhere, so that nothing comes twice. `content` is a keyed hash.
CREATE TABLE case_origin (
    source TEXT NOT NULL,
    reference TEXT NOT NULL,
    case_id BYTEA NOT NULL UNIQUE,
    content BYTEA NOT NULL,
    link TEXT,
    PRIMARY KEY (source, reference)
);

-- Cases of before get their traces.
INSERT INTO job (kind, key, payload, run_at)
    SELECT 'intake.trace', 'begin', '{"after":null}', 0 FROM meta
    WHERE key = 'application' AND EXISTS (SELECT 1 FROM case_row);
