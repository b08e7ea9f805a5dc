-- What release 0.2 adds to the index. A release's migration only adds: the one before it must be able to work with
-- the result (a test lets it try), so a new column has a default and nothing is renamed. What is removed goes one
-- release later.

-- When it was first queued, UTC ns: today's objects go before a backlog. 0 in rows of release 0.1, which are old.
ALTER TABLE delivery ADD COLUMN queued_ns INTEGER NOT NULL DEFAULT 0;

-- Procedure steps (MPPS): one message a step, server and kind. What it says is a file beside exam.json, written
-- before its row; which servers hear of a step stands in exam.json. A set never goes before its create.
CREATE TABLE step_message (
    id INTEGER PRIMARY KEY,
    exam TEXT NOT NULL REFERENCES exam (id),
    step TEXT NOT NULL,                  -- its SOP Instance UID
    server TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_ns INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT '',
    in_doubt INTEGER NOT NULL DEFAULT 0, -- 1: it left once and nobody knows what became of it
    asked INTEGER NOT NULL DEFAULT 0,    -- 1: a person wants it tried at once
    ended INTEGER NOT NULL DEFAULT 0,    -- of a create, 1: nothing more is to be said of this step
    changed_ns INTEGER NOT NULL,
    UNIQUE (step, server, kind)
) STRICT;
CREATE INDEX step_message_due ON step_message (server, next_attempt_ns) WHERE state = 'queued';
CREATE INDEX step_message_unsettled ON step_message (state, code) WHERE state IN ('queued', 'sending', 'held');
CREATE INDEX step_message_asked ON step_message (server) WHERE asked = 1;
CREATE INDEX step_message_open ON step_message (exam) WHERE kind = 'create' AND ended = 0;
CREATE INDEX step_message_exam ON step_message (exam);
