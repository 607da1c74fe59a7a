-- A build with a configuration revision. body: the release as JSON, secrets by name only.
CREATE TABLE releases (
    app TEXT NOT NULL,
    release TEXT NOT NULL,
    version TEXT NOT NULL,
    config TEXT NOT NULL,
    at BIGINT NOT NULL,
    asker TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (app, release)
);
CREATE INDEX releases_at ON releases (app, at);

-- A release put into an environment. hosts, owed, approved_by: JSON lists; plan: JSON; asked: when somebody asked for it.
CREATE TABLE deployments (
    id TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    app TEXT NOT NULL,
    environment TEXT NOT NULL,
    release TEXT NOT NULL,
    version TEXT NOT NULL,
    from_release TEXT,
    rollback BIGINT NOT NULL,
    override_reason TEXT,
    state TEXT NOT NULL,
    asker TEXT NOT NULL,
    needed BIGINT NOT NULL,
    approved_by TEXT NOT NULL,
    asked BIGINT NOT NULL,
    started BIGINT,
    finished BIGINT,
    hosts TEXT NOT NULL,
    owed TEXT NOT NULL,
    requests BIGINT,
    failed BIGINT,
    p99_ms DOUBLE PRECISION,
    reason TEXT,
    plan TEXT
);
CREATE INDEX deployments_place ON deployments (app, environment, asked);
CREATE INDEX deployments_asked ON deployments (asked);

-- The last number that was given away.
CREATE TABLE deployment_number (id BIGINT PRIMARY KEY CHECK (id = 1), number BIGINT NOT NULL);
INSERT INTO deployment_number (id, number) VALUES (1, 0);

-- What a run means to do and what came of it. word: the entry's kind; entry: JSON.
CREATE TABLE journal (
    deployment TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    word TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (deployment, seq)
);

-- What people tell a run. journal_seq: the journal's last row at that moment.
CREATE TABLE orders (
    deployment TEXT NOT NULL,
    seq BIGINT NOT NULL,
    word TEXT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    at BIGINT NOT NULL,
    journal_seq BIGINT NOT NULL,
    PRIMARY KEY (deployment, seq)
);

-- Answers to a deployment's questions. void: the plan has changed since; journal_seq: the journal's last row at that moment.
CREATE TABLE approvals (
    deployment TEXT NOT NULL,
    seq BIGINT NOT NULL,
    question TEXT NOT NULL,
    yes BIGINT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    at BIGINT NOT NULL,
    void BIGINT NOT NULL,
    journal_seq BIGINT NOT NULL,
    PRIMARY KEY (deployment, seq)
);

-- Where nothing may be deployed.
CREATE TABLE freezes (
    app TEXT NOT NULL,
    environment TEXT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (app, environment)
);
