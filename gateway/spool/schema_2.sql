-- What release 0.2 adds to the index. A release's migration only adds: the one before it must be able to work with
-- the result (a test lets it try), so a new column has a default and nothing is renamed. What is removed goes one
-- release later.

-- When it was first queued, UTC ns: today's objects go before a backlog. 0 in rows of release 0.1, which are old.
ALTER TABLE delivery ADD COLUMN queued_ns INTEGER NOT NULL DEFAULT 0;

-- Fair order (gateway/spool/queue/deliveries.py, Line). How often a transfer of it broke or was refused: what never was goes
-- first. Both indexes hold only what waits, in the order in which it is taken.
ALTER TABLE delivery ADD COLUMN setbacks INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_turn ON delivery (destination, queued_ns, id) WHERE state = 'queued' AND setbacks = 0;
CREATE INDEX delivery_set_back ON delivery (destination, next_attempt_ns) WHERE state = 'queued' AND setbacks > 0;
-- 1: its destination refused it for itself and took nothing since (gateway/forward/sending/outage.py). Order cannot be
-- told from changed_ns: a clock may be wrong, and proofs change it as well.
ALTER TABLE delivery ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_refused ON delivery (destination) WHERE refused = 1;

-- Destinations as they were configured when the forward process started last (gateway/spool/queue/destinations.py), and to
-- which bearer of its name an object went: another archive under the same name has nothing of what the old one got.
CREATE TABLE destination (
    name TEXT PRIMARY KEY,
    peer TEXT NOT NULL,                    -- its address
    settings TEXT NOT NULL,                -- a digest of its settings
    generation INTEGER NOT NULL DEFAULT 0  -- how often another peer took the name
) STRICT;
ALTER TABLE delivery ADD COLUMN sent_to INTEGER NOT NULL DEFAULT 0;

-- [release] when = "at-once": 1 = it was released before its exam ended (gateway/spool/releases.py).
ALTER TABLE capture ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
-- Of which side of the body it is. The file <uid>.side decides, without one the sidecar (gateway/spool/sides.py).
ALTER TABLE capture ADD COLUMN side TEXT NOT NULL DEFAULT '';
-- 1: it is a key image; 2: and a list says so that is made. The file <uid>.key and exam.json decide
-- (gateway/spool/key_images.py).
ALTER TABLE capture ADD COLUMN key_image INTEGER NOT NULL DEFAULT 0;
CREATE INDEX capture_key ON capture (exam) WHERE key_image = 1;
-- Retention. Since when a capture may go, in seconds of the box's own age (forward/keeping/retention.py), and why: '' = it may
-- not. `purged`: when its pictures were let go; '' = they are here. The file <uid>.purged decides.
ALTER TABLE capture ADD COLUMN settled_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE capture ADD COLUMN settled_why TEXT NOT NULL DEFAULT '';
ALTER TABLE capture ADD COLUMN purged TEXT NOT NULL DEFAULT '';
CREATE INDEX capture_here ON capture (purged) WHERE purged = ''; -- and by rowid within: the order of capture
CREATE INDEX capture_problem ON capture (state) WHERE problem_code <> ''; -- every screen says how many there are
CREATE INDEX exam_opened ON exam (opened_at); -- for the check of a day
-- 1: the object stands in its exam's SHA256SUMS, which is written once for many. 0 in rows of release 0.1: written soon.
ALTER TABLE object ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX object_unlisted ON object (exam) WHERE listed = 0;
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

-- What each destination took when it was last asked: whether a clip must go as key stills is known before it is sent.
CREATE TABLE accepted (
    destination TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    taken INTEGER NOT NULL,              -- 1: yes, 0: no, by an answer; -1: no, no context was accepted
    PRIMARY KEY (destination, sop_class_uid, transfer_syntax_uid)
) STRICT;
-- --- storage commitment and proof by query -----------------------------------------------------------------------

-- When proof of a sent object is asked for next, UTC ns: 0 = as soon as may be. While an answer is waited for it is
-- the time at which the box asks again.
ALTER TABLE delivery ADD COLUMN proof_due_ns INTEGER NOT NULL DEFAULT 0;
-- Counts the answers about it, none of which is taken twice: what was asked in an earlier round counts no more.
ALTER TABLE delivery ADD COLUMN proof_round INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_unproven ON delivery (destination, sent_to, proof_due_ns) WHERE state = 'sent';
CREATE INDEX delivery_held ON delivery (destination, code) WHERE state = 'held';

-- What a destination was asked to vouch for; written before it is asked. States: states.py.
CREATE TABLE commitment (
    transaction_uid TEXT PRIMARY KEY,
    destination TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_ns INTEGER NOT NULL            -- UTC ns
) STRICT;
CREATE INDEX commitment_asked ON commitment (destination, asked_ns);

CREATE TABLE commitment_item (
    transaction_uid TEXT NOT NULL REFERENCES commitment (transaction_uid) ON DELETE CASCADE,
    sop_instance_uid TEXT NOT NULL,
    delivery INTEGER NOT NULL,
    round INTEGER NOT NULL,              -- the delivery's proof_round when it was asked
    PRIMARY KEY (transaction_uid, sop_instance_uid)
) STRICT, WITHOUT ROWID;
