//! Places on the Earth, in whole numbers.

/// A place: millionths of a degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// North is positive; -90,000,000 to 90,000,000.
    pub latitude: i32,
    /// East is positive; -180,000,000 to 180,000,000.
    pub longitude: i32,
}

const DEGREE: i64 = 1_000_000;

impl Place {
    /// Takes millionths of a degree; `None` outside of the Earth.
    pub fn new(latitude: i64, longitude: i64) -> Option<Self> {
        let fits = latitude.abs() <= 90 * DEGREE && longitude.abs() <= 180 * DEGREE;
        fits.then_some(Self {
            latitude: i32::try_from(latitude).ok()?,
            longitude: i32::try_from(longitude).ok()?,
        })
    }

    /// Kilometres to another place, rounded down.
    pub fn kilometres(self, other: Self) -> u32 {
        whole_kilometres(self.square_metres(other))
    }

    /// The square of the metres to another place. Equirectangular, with Bhaskara's cosine (7th
    /// century; error below 0.2 %): good to a few per cent over the distances that decide
    /// whether something is near.
    pub fn square_metres(self, other: Self) -> u64 {
        // Metres a millionth of a degree of a great circle: 111.195 km a degree.
        const METRES_PER_KILO_DEGREE: i64 = 111_195;
        let north = (i64::from(self.latitude) - i64::from(other.latitude)).abs();
        let east = (i64::from(self.longitude) - i64::from(other.longitude)).abs();
        let east = east.min(360 * DEGREE - east);
        let middle = (i64::from(self.latitude) + i64::from(other.latitude)) / 2 / 1000;
        let square = middle * middle / 1000;
        let cosine = (32_400_000 - 4 * square) * 1000 / (32_400_000 + square);
        let metres = |millionths: i64| millionths * METRES_PER_KILO_DEGREE / DEGREE;
        let (north, east) = (metres(north), metres(east) * cosine.max(0) / 1000);
        (north * north + east * east).unsigned_abs()
    }

    /// The whole degrees that it lies in: a cell of a grid.
    pub fn cell(self) -> (i16, i16) {
        let whole = |millionths: i32| (i64::from(millionths)).div_euclid(DEGREE) as i16;
        (whole(self.latitude), whole(self.longitude))
    }
}

/// The kilometres of a square of metres, rounded down.
pub fn whole_kilometres(square_metres: u64) -> u32 {
    u32::try_from(square_metres.isqrt() / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(latitude: i64, longitude: i64) -> Place {
        Place::new(latitude * 10_000, longitude * 10_000).unwrap()
    }

    #[test]
    fn distances_are_about_right() {
        let boulder = place(4001, -10527);
        for (other, kilometres) in [
            (place(3974, -10499), 38..=40),  // Denver
            (place(4059, -10508), 65..=68),  // Fort Collins
            (place(5151, -13), 7000..=8500), // London
            (place(4001, -10527), 0..=0),
        ] {
            let found = boulder.kilometres(other);
            assert!(kilometres.contains(&found), "{found} is not in {kilometres:?}");
        }
        assert!(place(0, 17990).kilometres(place(0, -17990)) < 30, "over the date line");
    }
}
