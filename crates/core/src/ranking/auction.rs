//! Who is shown and what it costs: a generalised second-price auction in whole numbers (Edelman,
//! Ostrovsky, Schwarz, "Internet advertising and the generalized second-price auction", 2007).

/// One bidder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid {
    /// Who; of equal scores the lower one wins.
    pub bidder: u32,
    /// The most that a response may cost, in millionths.
    pub bid: u64,
    /// How likely a response is, in millionths; at least 1.
    pub response: u64,
}

impl Bid {
    /// What showing it is worth.
    pub fn score(&self) -> u128 {
        u128::from(self.bid) * u128::from(self.response)
    }
}

/// One winner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Won {
    /// Whose bid.
    pub bid: Bid,
    /// What a response costs, in millionths: just enough to keep the place, at least the reserve,
    /// never more than the bid.
    pub price: u64,
}

/// The winners of up to `slots` places, best first. Bids under the reserve take no part.
pub fn run(bids: impl IntoIterator<Item = Bid>, slots: usize, reserve: u64) -> Vec<Won> {
    let mut bids: Vec<Bid> =
        bids.into_iter().filter(|bid| bid.bid >= reserve && bid.response > 0).collect();
    bids.sort_by(|a, b| b.score().cmp(&a.score()).then(a.bidder.cmp(&b.bidder)));
    bids.iter()
        .take(slots)
        .enumerate()
        .map(|(place, bid)| {
            let next = bids.get(place + 1).map_or(0, Bid::score);
            let keeps = next.div_ceil(u128::from(bid.response));
            let price = u64::try_from(keeps).unwrap_or(u64::MAX).max(reserve).min(bid.bid);
            Won { bid: *bid, price }
        })
        .collect()
}
