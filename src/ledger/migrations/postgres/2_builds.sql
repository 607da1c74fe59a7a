-- Images that were built and pushed: by key, so that nothing is built twice, and by tag, so that no tag is pushed twice.
CREATE TABLE built_images (
    repository TEXT NOT NULL,
    version TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    revision TEXT NOT NULL,
    size BIGINT NOT NULL,
    layers TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (repository, version)
);
CREATE INDEX built_images_key ON built_images (key);
