//! All items, with the ways to find some of them.
//!
//! An inventory is never changed: [`Inventory::with`] gives the next one, which shares what has
//! not changed. It keeps what came since the last build apart (the delta), and which of the
//! built items that replaces (the gone): so a few items more cost a few items' work, and what is
//! found is what a new build would find.

use super::exclude::facets;
use super::index::{Entry, Facets, Index, Term};
use super::item::{Item, Surface};
use super::place::{Place, whole_kilometres};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A delta of more items than this, and of more than an eighth of the rest, is built in.
const DELTA: usize = 4_000;

/// What one surface can show.
struct Shelf {
    index: Index,
    /// The best first, whoever asks.
    by_quality: Vec<u32>,
    /// By whole degrees; the places beside the numbers, so that what is far is not touched.
    cells: BTreeMap<(i16, i16), Vec<(Place, u32)>>,
    /// By author.
    authors: BTreeMap<String, Vec<u32>>,
}

/// Some items, with their shelves. Numbers are places in it.
struct Part {
    /// By id.
    items: Vec<Arc<Item>>,
    shelves: BTreeMap<Surface, Shelf>,
}

/// All items.
pub struct Inventory {
    /// All, by id.
    items: Vec<Arc<Item>>,
    base: Arc<Part>,
    /// Items of the base that are no more, or stand in the delta as they are now.
    gone: BTreeSet<u32>,
    delta: Part,
    interests: usize,
}

impl Inventory {
    /// Builds it. `interests` is how many the taxonomy has. The order of the items given does not
    /// matter; of two with one id the later stays.
    pub fn build(items: impl IntoIterator<Item = Item>, interests: usize) -> Self {
        let by_id: BTreeMap<String, Arc<Item>> =
            items.into_iter().map(|item| (item.id.clone(), Arc::new(item))).collect();
        Self::anew(by_id.into_values().collect(), interests)
    }

    fn anew(items: Vec<Arc<Item>>, interests: usize) -> Self {
        let base = Arc::new(Part::build(items.clone(), interests));
        let delta = Part::build(Vec::new(), interests);
        Self { items, base, gone: BTreeSet::new(), delta, interests }
    }

    /// The inventory after some items came, or came anew, and others went. What is found in it is
    /// what a build of all of them would find.
    pub fn with(&self, come: impl IntoIterator<Item = Item>, went: &BTreeSet<String>) -> Self {
        let mut delta: BTreeMap<String, Arc<Item>> =
            self.delta.items.iter().map(|item| (item.id.clone(), Arc::clone(item))).collect();
        let come: BTreeMap<String, Arc<Item>> =
            come.into_iter().map(|item| (item.id.clone(), Arc::new(item))).collect();
        let other = |item: &&Arc<Item>| !come.contains_key(&item.id) && !went.contains(&item.id);
        let mut items: Vec<Arc<Item>> = self.items.iter().filter(other).cloned().collect();
        items.extend(come.iter().filter(|(id, _)| !went.contains(*id)).map(|(_, i)| Arc::clone(i)));
        // Two runs that are in order each: a stable sort merges them.
        items.sort_by(|a, b| a.id.cmp(&b.id));
        let mut gone = self.gone.clone();
        for id in come.keys().chain(went) {
            gone.extend(self.base.number(id));
        }
        delta.extend(come);
        delta.retain(|id, _| !went.contains(id));
        if delta.len() + gone.len() > DELTA.max(items.len() / 8) {
            return Self::anew(items, self.interests);
        }
        let delta = Part::build(delta.into_values().collect(), self.interests);
        Self { items, base: Arc::clone(&self.base), gone, delta, interests: self.interests }
    }

    /// All items, by id.
    pub fn items(&self) -> &[Arc<Item>] {
        &self.items
    }

    /// The `k` items of a surface that an index finds for these terms, the best first; of equal
    /// ones the lower id. `accept` refuses what lacks one of the facets `needs`.
    pub fn search(
        &self,
        surface: Surface,
        terms: &[Term],
        k: usize,
        needs: Facets,
        accept: impl Fn(&Item) -> bool,
    ) -> Vec<&Item> {
        let mut found: Vec<(u32, &Item)> = Vec::new();
        for part in self.parts(surface) {
            let hits =
                part.shelf.index.search(terms, k, needs, |n| part.there(n).is_some_and(&accept));
            found.extend(hits.iter().filter_map(|hit| Some((hit.score, part.there(hit.item)?))));
        }
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
        found.truncate(k);
        found.into_iter().map(|(_, item)| item).collect()
    }

    /// The items of the highest quality that `accept` lets through.
    pub fn best(
        &self,
        surface: Surface,
        most: usize,
        accept: impl Fn(&Item) -> bool,
    ) -> Vec<&Item> {
        let mut best: Vec<&Item> = Vec::new();
        for part in self.parts(surface) {
            let all = part.shelf.by_quality.iter().filter_map(|number| part.there(*number));
            best.extend(all.filter(|item| accept(item)).take(most));
        }
        best.sort_by(|a, b| by_quality(a, b));
        best.truncate(most);
        best
    }

    /// Items of some authors.
    pub fn of(&self, surface: Surface, authors: &BTreeSet<String>) -> Vec<&Item> {
        let mut items = Vec::new();
        for part in self.parts(surface) {
            let numbers = authors.iter().filter_map(|author| part.shelf.authors.get(author));
            items.extend(numbers.flatten().filter_map(|number| part.there(*number)));
        }
        items
    }

    /// The `most` items nearest to a place that `accept` lets through; of equally near ones the
    /// lower ids. Looked at are the place's cell and those around it: at least 50 km each way
    /// outside of the polar circles.
    pub fn nearest(
        &self,
        surface: Surface,
        place: Place,
        most: usize,
        accept: impl Fn(&Item) -> bool,
    ) -> Vec<&Item> {
        let (north, east) = place.cell();
        let cells =
            (-1..=1).flat_map(|n| (-1..=1).map(move |e| (north + n, (east + e + 540) % 360 - 180)));
        let mut nearest: Vec<(u32, &Item)> = Vec::new();
        for part in self.parts(surface) {
            let listed = cells.clone().filter_map(|cell| part.shelf.cells.get(&cell)).flatten();
            let mut rest: Vec<(u64, u32)> =
                listed.map(|(there, number)| (place.square_metres(*there), *number)).collect();
            // In a city there are many: only as many are put in order as are needed.
            let (mut some, mut found) = (2 * most, 0);
            while found < most && !rest.is_empty() {
                let last = some.min(rest.len()) - 1;
                let (_, (square, _), _) = rest.select_nth_unstable(last);
                let limit = (u64::from(whole_kilometres(*square)) + 1) * 1000;
                let (front, tail): (Vec<_>, Vec<_>) =
                    rest.into_iter().partition(|(square, _)| *square < limit * limit);
                // Numbers are in the order of the ids.
                let mut front: Vec<(u32, u32)> = front
                    .into_iter()
                    .map(|(square, number)| (whole_kilometres(square), number))
                    .collect();
                front.sort_unstable();
                let accepted = front.into_iter().filter_map(|(far, number)| {
                    let item = part.there(number).filter(|item| accept(item))?;
                    Some((far, item))
                });
                let before = nearest.len();
                nearest.extend(accepted.take(most - found));
                found += nearest.len() - before;
                (rest, some) = (tail, 2 * some);
            }
        }
        nearest.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
        nearest.truncate(most);
        nearest.into_iter().map(|(_, item)| item).collect()
    }

    fn parts(&self, surface: Surface) -> impl Iterator<Item = View<'_>> {
        let base =
            self.base.shelves.get(&surface).map(|shelf| (&*self.base, shelf, Some(&self.gone)));
        let delta = self.delta.shelves.get(&surface).map(|shelf| (&self.delta, shelf, None));
        let views = base.into_iter().chain(delta);
        views.map(|(part, shelf, gone)| View { items: &part.items, shelf, gone })
    }
}

/// A shelf of a part, less what is gone of it.
struct View<'a> {
    items: &'a [Arc<Item>],
    shelf: &'a Shelf,
    gone: Option<&'a BTreeSet<u32>>,
}

impl<'a> View<'a> {
    /// The item of a number, if it is still there.
    fn there(&self, number: u32) -> Option<&'a Item> {
        let gone = self.gone.is_some_and(|gone| gone.contains(&number));
        self.items.get(number as usize).filter(|_| !gone).map(|item| &**item)
    }
}

impl Part {
    /// Of items by id.
    fn build(items: Vec<Arc<Item>>, interests: usize) -> Self {
        let shelves = Surface::ALL
            .into_iter()
            .map(|surface| (surface, Shelf::build(&items, surface, interests)))
            .collect();
        Self { items, shelves }
    }

    fn number(&self, id: &str) -> Option<u32> {
        let at = self.items.binary_search_by(|item| item.id.as_str().cmp(id)).ok()?;
        u32::try_from(at).ok()
    }
}

/// The better one first, then the newer one, then the lower id.
fn by_quality(a: &Item, b: &Item) -> Ordering {
    let better = b.quality.cmp(&a.quality);
    better.then_with(|| b.created.cmp(&a.created)).then_with(|| a.id.cmp(&b.id))
}

impl Shelf {
    fn build(items: &[Arc<Item>], surface: Surface, interests: usize) -> Self {
        let mine: Vec<(u32, &Item)> = (0..)
            .zip(items)
            .filter(|(_, i)| i.surface == surface)
            .map(|(n, i)| (n, &**i))
            .collect();
        let entry = |(number, item): &(u32, &Item)| Entry {
            item: *number,
            facets: facets(item),
            impacts: item.impacts().collect(),
        };
        let entries: Vec<Entry> = mine.iter().map(entry).collect();
        let mut best = mine.clone();
        best.sort_by(|(_, a), (_, b)| by_quality(a, b));
        let mut cells: BTreeMap<_, Vec<(Place, u32)>> = BTreeMap::new();
        let mut authors: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for (number, item) in &mine {
            if let Some(place) = item.place {
                cells.entry(place.cell()).or_default().push((place, *number));
            }
            if let Some(author) = &item.author {
                authors.entry(author.clone()).or_default().push(*number);
            }
        }
        Self {
            index: Index::build(&entries, interests),
            by_quality: best.into_iter().map(|(number, _)| number).collect(),
            cells,
            authors,
        }
    }
}
