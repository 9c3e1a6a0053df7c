-- What each campaign owes for each day (days since 1970), so that nobody adds up every charge to know what
-- is left of a budget. `charge` stays: it tells whether a slot was charged before.
CREATE TABLE spent (
    campaign TEXT NOT NULL,
    day      BIGINT NOT NULL,
    micros   BIGINT NOT NULL,
    PRIMARY KEY (campaign, day)
);

INSERT INTO spent (campaign, day, micros)
    SELECT campaign, at / 86400000000, CAST(sum(micros) AS BIGINT) FROM charge GROUP BY 1, 2;
