-- One schema for SQLite and PostgreSQL: TEXT and BIGINT only, no engine's own types, no serial keys.
-- A tag is a keyed one-way hash, 32 hex digits; no outside id, no name, no word of a chat is stored.
-- Times are microseconds since 1970, UTC. Every table that holds a person's data begins its key with
-- `shard`, the first 12 bits of the account's tag, so that a distributed PostgreSQL keeps a person's
-- rows together.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- What `account` events named; '' and -1 stand for what they left out.
CREATE TABLE account_fact (
    shard        BIGINT NOT NULL,
    account      TEXT NOT NULL,
    at           BIGINT NOT NULL,
    region       TEXT NOT NULL,
    language     TEXT NOT NULL,
    birth_date   TEXT NOT NULL,
    likely_minor BIGINT NOT NULL,
    platform     TEXT NOT NULL,
    PRIMARY KEY (shard, account, at, region, language, birth_date, likely_minor)
);

-- Notices that were delivered.
CREATE TABLE notice (
    shard     BIGINT NOT NULL,
    account   TEXT NOT NULL,
    delivered BIGINT NOT NULL,
    notice    TEXT NOT NULL,
    version   TEXT NOT NULL,
    channel   TEXT NOT NULL,
    PRIMARY KEY (shard, account, delivered, notice, version, channel)
);

-- Choices about the use of chats.
CREATE TABLE choice (
    shard   BIGINT NOT NULL,
    account TEXT NOT NULL,
    at      BIGINT NOT NULL,
    wish    TEXT NOT NULL,
    PRIMARY KEY (shard, account, at, wish)
);

-- What the person wants of an interest or an advertiser.
CREATE TABLE preference (
    shard   BIGINT NOT NULL,
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    at      BIGINT NOT NULL,
    taste   TEXT NOT NULL,
    platform TEXT NOT NULL,
    PRIMARY KEY (shard, account, kind, subject, at, taste)
);

-- Which accounts center an account joined, and when; and when it left all of them.
CREATE TABLE membership (
    shard   BIGINT NOT NULL,
    account TEXT NOT NULL,
    center  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    platform TEXT NOT NULL,
    PRIMARY KEY (shard, account, center, at)
);
CREATE TABLE unlinking (
    shard   BIGINT NOT NULL,
    account TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (shard, account, at)
);
-- The same memberships by center; here `shard` is of the center's tag.
CREATE TABLE center (
    shard   BIGINT NOT NULL,
    center  TEXT NOT NULL,
    account TEXT NOT NULL,
    PRIMARY KEY (shard, center, account)
);

-- What a profile is made of: the only thing that is kept of a turn or an activity.
CREATE TABLE contribution (
    shard        BIGINT NOT NULL,
    account      TEXT NOT NULL,
    source       TEXT NOT NULL,
    event        TEXT NOT NULL,
    interest     TEXT NOT NULL,
    conversation TEXT NOT NULL,
    weight       BIGINT NOT NULL,
    stage        BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    platform     TEXT NOT NULL,
    product      TEXT NOT NULL,
    modality     BIGINT NOT NULL,
    policy       BIGINT NOT NULL,
    model        BIGINT NOT NULL,
    PRIMARY KEY (shard, account, source, event, interest)
);

-- A shut conversation: its rows are not seen, and none may follow. It does not say why, and names
-- no account.
CREATE TABLE seal (
    shard        BIGINT NOT NULL,
    conversation TEXT NOT NULL,
    expires      BIGINT NOT NULL,
    PRIMARY KEY (shard, conversation)
);

-- What a person took back, up to an instant: the tag of an account, a conversation, a turn or an
-- activity, or `account:interest`. A late delivery of what it covers brings nothing back.
CREATE TABLE forgotten (
    shard  BIGINT NOT NULL,
    target TEXT NOT NULL,
    until  BIGINT NOT NULL,
    PRIMARY KEY (shard, target)
);

-- Ads, posts, reels and groups: the operator's JSON, and what the model found in it.
CREATE TABLE item (
    item      TEXT NOT NULL PRIMARY KEY,
    body      TEXT NOT NULL,
    interests TEXT NOT NULL
);

-- What was shown to whom, for caps.
CREATE TABLE shown (
    shard    BIGINT NOT NULL,
    account  TEXT NOT NULL,
    slot     TEXT NOT NULL,
    item     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (shard, account, slot)
);

-- What an advertiser owes. Names nobody, so it outlives every deletion.
CREATE TABLE charge (
    slot     TEXT NOT NULL PRIMARY KEY,
    campaign TEXT NOT NULL,
    micros   BIGINT NOT NULL,
    at       BIGINT NOT NULL
);

-- How many events ended how. No account, no text.
CREATE TABLE counter (
    reason TEXT NOT NULL PRIMARY KEY,
    events BIGINT NOT NULL
);

-- How far a log was taken in, by a keyed tag of its content: a run that was killed goes on there,
-- and what was counted is not counted again.
CREATE TABLE log_position (
    log      TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    complete BIGINT NOT NULL
);
