-- Who did what. The triggers are no lock, only a guard against one's own hand.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    entry BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('intent', 'outcome')),
    at BIGINT NOT NULL,
    login BIGINT, uid BIGINT, name TEXT, sudo_user TEXT, ssh_connection TEXT, machine TEXT, pid BIGINT,
    action TEXT, host TEXT, target TEXT, target_id TEXT, argument TEXT, plan TEXT,
    outcome TEXT, detail TEXT,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (entry, kind)
);
CREATE INDEX audit_at ON audit (at);
CREATE TABLE audit_head (id BIGINT PRIMARY KEY CHECK (id = 1), seq BIGINT NOT NULL, hash TEXT NOT NULL);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'rows of the audit are only appended'); END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'rows of the audit are only appended'); END;
