/** The tables of a gateway's file, and how an older file becomes one of this version. */

/** Numbers of tokens and money fit 63 bits: all TON there is are 5·10¹⁸ nanoTON. */
const ACCOUNTS = `
  CREATE TABLE project (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL REFERENCES project,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    models TEXT NOT NULL,
    limits TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER,
    made_by TEXT
  ) STRICT;
  CREATE TABLE budget (
    scope TEXT NOT NULL CHECK (scope IN ('node', 'project', 'key')),
    id TEXT NOT NULL,
    model TEXT NOT NULL,
    window TEXT NOT NULL CHECK (window IN ('day', 'week', 'month', 'total')),
    limit_nano INTEGER NOT NULL CHECK (limit_nano >= 0),
    warn_at_percent INTEGER NOT NULL,
    warned_from_ms INTEGER,
    PRIMARY KEY (scope, id, model, window)
  ) STRICT;
  CREATE TABLE usage_day (
    day INTEGER NOT NULL,
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    prompt INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    total INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    unsettled_nano INTEGER NOT NULL,
    PRIMARY KEY (day, project, key, model)
  ) STRICT;
`

/**
 * `attempts`: JSON; null where there was none, or one that the other columns tell of. `is_free`: it cost nothing and brought no answer. Those are kept apart, so
 * that a flood of them pushes out no other.
 */
const RECEIPTS = `
  CREATE TABLE receipt (
    seq INTEGER PRIMARY KEY,
    request TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    path TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('ok', 'failed', 'cancelled', 'refused')),
    status INTEGER,
    code TEXT,
    prompt INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    total INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL CHECK (cost_nano >= 0),
    unsettled_nano INTEGER NOT NULL CHECK (unsettled_nano >= 0),
    max_cost_nano INTEGER NOT NULL,
    proxy TEXT,
    worker TEXT,
    evidence TEXT,
    queued_ms INTEGER,
    sent_ms INTEGER,
    first_byte_ms INTEGER,
    duration_ms INTEGER NOT NULL,
    attempts TEXT,
    is_free INTEGER NOT NULL CHECK (is_free IN (0, 1))
  ) STRICT;
  CREATE TABLE reason_day (
    day INTEGER NOT NULL,
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    code TEXT NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (day, project, key, code)
  ) STRICT;
`
const RECEIPT_INDEXES = `
  CREATE INDEX receipt_by_key ON receipt (key, seq);
  CREATE INDEX receipt_by_request ON receipt (request);
  CREATE INDEX receipt_by_kind ON receipt (is_free, seq);
`

const MEMBERS = `
  CREATE TABLE member (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL REFERENCES project,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'member', 'viewer')),
    hash TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    removed_ms INTEGER
  ) STRICT;
`

/** Of the requests of a reason those that were refused; the others failed. */
const REFUSED = 'ALTER TABLE reason_day ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;'

export const SCHEMA = `${ACCOUNTS}${RECEIPTS}${RECEIPT_INDEXES}${MEMBERS}${REFUSED}`
export const SCHEMA_VERSION = 4

/** From the version before: the first one makes version 2. */
export const MIGRATIONS: readonly string[] = [
  `
  ALTER TABLE receipt RENAME TO receipt_before;
  ${RECEIPTS}
  INSERT INTO receipt
    SELECT seq, request, at_ms, project, key, model, path, result, status, code, prompt, cached, completion, reasoning, total,
      cost_nano, unsettled_nano, max_cost_nano, proxy, worker, evidence, NULL, NULL, first_byte_ms, duration_ms, NULL,
      result <> 'ok' AND cost_nano + unsettled_nano = 0
    FROM receipt_before;
  DROP TABLE receipt_before;
  ${RECEIPT_INDEXES}
  INSERT INTO reason_day
    SELECT at_ms / 86400000, project, key, code, count(*) FROM receipt WHERE code IS NOT NULL GROUP BY 1, 2, 3, 4;
  `,
  `${MEMBERS} ALTER TABLE api_key ADD COLUMN made_by TEXT;`,
  // Earlier counts do not tell: a reason for which no receipt has failed is one to refuse.
  `
  ${REFUSED}
  UPDATE reason_day SET refused = requests
    WHERE code NOT IN (SELECT code FROM receipt WHERE result <> 'refused' AND code IS NOT NULL);
  `,
]
