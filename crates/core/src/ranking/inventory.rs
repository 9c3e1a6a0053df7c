//! All items, with the ways to find some of them.

use super::index::Index;
use super::item::{Item, Surface};
use super::place::Place;
use std::collections::{BTreeMap, BTreeSet};

/// What one surface can show.
pub struct Shelf {
    /// By interest.
    pub index: Index,
    /// The best first, whoever asks.
    by_quality: Vec<u32>,
    /// By whole degrees.
    cells: BTreeMap<(i16, i16), Vec<u32>>,
    /// By author.
    authors: BTreeMap<String, Vec<u32>>,
}

/// All items.
pub struct Inventory {
    items: Vec<Item>,
    shelves: BTreeMap<Surface, Shelf>,
}

impl Inventory {
    /// Builds it. `interests` is how many the taxonomy has. The order of the items given does not
    /// matter; of two with one id the later stays.
    pub fn build(items: impl IntoIterator<Item = Item>, interests: usize) -> Self {
        let by_id: BTreeMap<String, Item> =
            items.into_iter().map(|item| (item.id.clone(), item)).collect();
        let items: Vec<Item> = by_id.into_values().collect();
        let shelves = Surface::ALL
            .into_iter()
            .map(|surface| (surface, Shelf::build(&items, surface, interests)))
            .collect();
        Self { items, shelves }
    }

    /// All items, by id.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// An item by its number.
    pub fn item(&self, number: u32) -> Option<&Item> {
        self.items.get(number as usize)
    }

    /// What a surface can show.
    pub fn shelf(&self, surface: Surface) -> Option<&Shelf> {
        self.shelves.get(&surface)
    }
}

impl Shelf {
    fn build(items: &[Item], surface: Surface, interests: usize) -> Self {
        let mine: Vec<(u32, &Item)> =
            (0..).zip(items).filter(|(_, item)| item.surface == surface).collect();
        let impacts: Vec<_> =
            mine.iter().map(|(number, item)| (*number, item.impacts().collect())).collect();
        let mut by_quality: Vec<_> = mine.clone();
        by_quality.sort_by_key(|(number, item)| {
            (u16::MAX - item.quality, std::cmp::Reverse(item.created), *number)
        });
        let mut cells: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        let mut authors: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for (number, item) in &mine {
            if let Some(place) = item.place {
                cells.entry(place.cell()).or_default().push(*number);
            }
            if let Some(author) = &item.author {
                authors.entry(author.clone()).or_default().push(*number);
            }
        }
        Self {
            index: Index::build(&impacts, interests),
            by_quality: by_quality.into_iter().map(|(number, _)| number).collect(),
            cells,
            authors,
        }
    }

    /// The items of the highest quality that `accept` lets through.
    pub fn best(&self, most: usize, accept: impl Fn(u32) -> bool) -> Vec<u32> {
        self.by_quality.iter().copied().filter(|number| accept(*number)).take(most).collect()
    }

    /// Items of some authors.
    pub fn of<'a>(&'a self, authors: &'a BTreeSet<String>) -> impl Iterator<Item = u32> + 'a {
        authors.iter().filter_map(|author| self.authors.get(author)).flatten().copied()
    }

    /// Items in the cell of a place and those around it: at least 50 km each way outside of the
    /// polar circles.
    pub fn near(&self, place: Place) -> impl Iterator<Item = u32> {
        let (north, east) = place.cell();
        (-1..=1)
            .flat_map(move |n| (-1..=1).map(move |e| (north + n, (east + e + 540) % 360 - 180)))
            .filter_map(|cell| self.cells.get(&cell))
            .flatten()
            .copied()
    }
}
