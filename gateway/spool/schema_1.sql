-- The index of the spool and the to-do list of its processes. Every fact here that a rebuild needs stands in a
-- file as well, written before its row. States and who may change them: gateway/spool/states.py.
-- As release 0.1 made it; it never changes again. What later releases add: schema_2.sql and so on, in order.

CREATE TABLE exam (
    id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    please_check TEXT NOT NULL,
    identity TEXT NOT NULL,
    discontinued TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    study_key TEXT NOT NULL,
    opened_at TEXT NOT NULL,             -- UTC, for listing only: order never comes from time
    request_id TEXT UNIQUE,
    request_digest TEXT,
    document TEXT NOT NULL               -- exam.json
) STRICT;
CREATE UNIQUE INDEX one_open_exam ON exam (state) WHERE state = 'open';
CREATE INDEX exam_waiting ON exam (state) WHERE state = 'finished';
CREATE INDEX exam_study_key ON exam (study_key) WHERE study_key <> '';
CREATE INDEX exam_study ON exam (study_instance_uid);

CREATE TABLE capture (
    sop_instance_uid TEXT PRIMARY KEY,
    exam TEXT NOT NULL REFERENCES exam (id),
    state TEXT NOT NULL,
    instance_number INTEGER NOT NULL,
    request_id TEXT UNIQUE,
    request_digest TEXT,
    reason TEXT NOT NULL DEFAULT '',     -- why it was rejected
    problem_code TEXT NOT NULL DEFAULT '', -- why no object could be made of it
    problem TEXT NOT NULL DEFAULT '',
    sealed INTEGER NOT NULL DEFAULT 0,   -- 1: its object is made; a hint, the table object decides
    document TEXT NOT NULL,              -- the sidecar; '{}' while recording
    UNIQUE (exam, instance_number)
) STRICT;
CREATE INDEX capture_unsealed ON capture (exam, instance_number)
    WHERE state = 'saved' AND problem_code = '' AND sealed = 0;
CREATE INDEX capture_recording ON capture (exam) WHERE state = 'recording';

CREATE TABLE object (
    sop_instance_uid TEXT PRIMARY KEY,
    capture TEXT NOT NULL,
    exam TEXT NOT NULL REFERENCES exam (id),
    document TEXT NOT NULL               -- the seal
) STRICT;
CREATE INDEX object_capture ON object (capture);
CREATE INDEX object_exam ON object (exam);

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    sop_instance_uid TEXT NOT NULL REFERENCES object (sop_instance_uid),
    exam TEXT NOT NULL REFERENCES exam (id),
    destination TEXT NOT NULL,
    state TEXT NOT NULL,
    proof TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_ns INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT '',
    in_doubt INTEGER NOT NULL DEFAULT 0, -- 1: a transfer of it began whose outcome nobody knows: it may be there
    asked INTEGER NOT NULL DEFAULT 0,    -- 1: a person wants it tried at once
    changed_ns INTEGER NOT NULL,
    UNIQUE (sop_instance_uid, destination)
) STRICT;
CREATE INDEX delivery_due ON delivery (destination, next_attempt_ns) WHERE state = 'queued';
CREATE INDEX delivery_unsettled ON delivery (state, code) WHERE state IN ('queued', 'sending', 'held');
CREATE INDEX delivery_asked ON delivery (destination) WHERE asked = 1;
CREATE INDEX delivery_exam ON delivery (exam);
CREATE INDEX delivery_counted ON delivery (destination, state);

CREATE TABLE worklist_item (
    server TEXT NOT NULL,
    id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    document TEXT NOT NULL,              -- the item without its answer
    answer BLOB NOT NULL,
    PRIMARY KEY (server, id)
) STRICT;

CREATE TABLE worklist_server (
    server TEXT PRIMARY KEY,
    generation INTEGER NOT NULL DEFAULT 0,
    answered_ns INTEGER NOT NULL DEFAULT 0, -- UTC ns of the last good answer, 0 = never
    asked_ns INTEGER NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '',       -- of the last failure, '' = the last answer was good
    problem TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE request (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    arguments TEXT NOT NULL,
    state TEXT NOT NULL,
    answer TEXT NOT NULL DEFAULT '',
    deadline_ns INTEGER NOT NULL,        -- UTC ns; one that is older is never begun
    created_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX request_waiting ON request (kind) WHERE state = 'waiting';
