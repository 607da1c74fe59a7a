-- What a run is at right now: overwritten while it lasts, gone with its end. body: JSON.
CREATE TABLE pulses (deployment TEXT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, body TEXT NOT NULL);
