-- What a commit of an app became. body: its images by digest and the spec of its template as JSON; revision: the commit.
CREATE TABLE app_builds (
    app TEXT NOT NULL,
    version TEXT NOT NULL,
    revision TEXT NOT NULL,
    at BIGINT NOT NULL,
    asker TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (app, version)
);
CREATE INDEX app_builds_at ON app_builds (app, at);
