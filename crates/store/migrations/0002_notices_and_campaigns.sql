-- Templates of notices: the operator's JSON, one a language and version.
CREATE TABLE notice_template (
    notice   TEXT NOT NULL,
    version  TEXT NOT NULL,
    language TEXT NOT NULL,
    body     TEXT NOT NULL,
    made     BIGINT NOT NULL,
    PRIMARY KEY (notice, version, language)
);

-- Notices on their way to an account, a row a channel; `proof` is a hash of what the channel
-- answered. `at` is when the state was reached.
CREATE TABLE delivery (
    shard    BIGINT NOT NULL,
    account  TEXT NOT NULL,
    notice   TEXT NOT NULL,
    version  TEXT NOT NULL,
    channel  TEXT NOT NULL,
    language TEXT NOT NULL,
    state    TEXT NOT NULL,
    at       BIGINT NOT NULL,
    proof    TEXT NOT NULL,
    PRIMARY KEY (shard, account, notice, version, channel)
);

-- What the operator said of a campaign beside its ads: the budget, the bid, whether it is paused.
CREATE TABLE campaign (
    campaign TEXT NOT NULL PRIMARY KEY,
    body     TEXT NOT NULL
);

-- What was clicked, for reports.
CREATE TABLE click (
    shard   BIGINT NOT NULL,
    account TEXT NOT NULL,
    slot    TEXT NOT NULL,
    item    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (shard, account, slot)
);
