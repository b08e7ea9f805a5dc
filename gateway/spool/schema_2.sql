-- What release 0.2 adds to the index. A release's migration only adds: the one before it must be able to work with
-- the result (a test lets it try), so a new column has a default and nothing is renamed. What is removed goes one
-- release later.

-- When it was first queued, UTC ns: today's objects go before a backlog. 0 in rows of release 0.1, which are old.
ALTER TABLE delivery ADD COLUMN queued_ns INTEGER NOT NULL DEFAULT 0;

-- --- storage commitment and proof by query -----------------------------------------------------------------------

-- When proof of a sent object is asked for next, UTC ns: 0 = as soon as may be. While an answer is waited for it is
-- the time at which the box asks again.
ALTER TABLE delivery ADD COLUMN proof_due_ns INTEGER NOT NULL DEFAULT 0;
-- Counts the answers about it, none of which is taken twice: what was asked in an earlier round counts no more.
ALTER TABLE delivery ADD COLUMN proof_round INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_unproven ON delivery (destination, proof_due_ns) WHERE state = 'sent';
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
