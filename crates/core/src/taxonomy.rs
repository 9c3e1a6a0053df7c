//! What can be learned: the interests, their names and their ids in the ad world.

use std::collections::BTreeMap;

/// A leaf of the taxonomy: its row among the leaves. Protected subjects have no leaf, so no value
/// of this type names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interest(pub u16);

/// What the file says of one leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// `outdoors.hiking`
    pub id: String,
    /// `Hiking and trails`
    pub name: String,
    /// The group: `outdoors`.
    pub parent: String,
    /// One sentence; after a `;` what belongs elsewhere.
    pub description: String,
    /// IAB Audience 1.1 ids.
    pub iab_audience: Vec<String>,
    /// IAB Content 3.1 ids.
    pub iab_content: Vec<String>,
    /// IAB Ad Product 2.0 ids.
    pub iab_ad_product: Vec<String>,
    /// `age`: adults only. `vulnerable`: people in difficulty.
    pub restricted: Option<String>,
}

/// A taxonomy file that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TaxonomyError {
    /// 1-based.
    pub line: usize,
    /// What was expected.
    pub what: String,
}

/// The interests, in the order of the file.
#[derive(Clone, Debug)]
pub struct Taxonomy {
    leaves: Vec<Leaf>,
    groups: BTreeMap<String, String>,
    by_id: BTreeMap<String, Interest>,
}

impl Taxonomy {
    /// Reads the tab-separated file: id, name, parent, description, three columns of IAB ids
    /// (space-separated), restricted. A row without a parent is a group.
    ///
    /// # Errors
    /// The first line that does not fit.
    pub fn parse(text: &str) -> Result<Self, TaxonomyError> {
        let mut taxonomy =
            Self { leaves: Vec::new(), groups: BTreeMap::new(), by_id: BTreeMap::new() };
        for (row, line) in text.lines().enumerate().skip(1) {
            taxonomy.add(line).map_err(|what| TaxonomyError { line: row + 1, what })?;
        }
        Ok(taxonomy)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let columns: Vec<&str> = line.split('\t').collect();
        let [id, name, parent, description, audience, content, product, restricted] = columns[..]
        else {
            return Err(format!("expected 8 columns, found {}", columns.len()));
        };
        if parent.is_empty() {
            self.groups.insert(id.to_owned(), name.to_owned());
            return Ok(());
        }
        if !self.groups.contains_key(parent) {
            return Err(format!("parent `{parent}` is no group above this line"));
        }
        let Ok(row) = u16::try_from(self.leaves.len()) else {
            return Err("more than 65,535 leaves".to_owned());
        };
        if self.by_id.insert(id.to_owned(), Interest(row)).is_some() {
            return Err(format!("`{id}` stands twice"));
        }
        self.leaves.push(Leaf {
            id: id.to_owned(),
            name: name.to_owned(),
            parent: parent.to_owned(),
            description: description.to_owned(),
            iab_audience: ids(audience)?,
            iab_content: ids(content)?,
            iab_ad_product: ids(product)?,
            restricted: (!restricted.is_empty()).then(|| restricted.to_owned()),
        });
        Ok(())
    }

    /// All leaves, by [`Interest`].
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The groups: id and name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &str)> {
        self.groups.iter().map(|(id, name)| (id.as_str(), name.as_str()))
    }

    /// The interest of an id.
    pub fn find(&self, id: &str) -> Option<Interest> {
        self.by_id.get(id).copied()
    }

    /// The leaf of an interest; `None` when it is of another taxonomy.
    pub fn leaf(&self, interest: Interest) -> Option<&Leaf> {
        self.leaves.get(usize::from(interest.0))
    }

    /// The id of an interest; empty when it is of another taxonomy.
    pub fn id(&self, interest: Interest) -> &str {
        self.leaf(interest).map_or("", |leaf| &leaf.id)
    }
}

fn ids(column: &str) -> Result<Vec<String>, String> {
    let id = |id: &str| match id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => Ok(id.to_owned()),
        false => Err(format!("`{id}` is no IAB id (letters and digits)")),
    };
    column.split_whitespace().map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../taxonomy/interests.tsv");

    #[test]
    fn the_shipped_taxonomy_is_whole() {
        let taxonomy = Taxonomy::parse(FILE).unwrap();
        assert_eq!(taxonomy.leaves().len(), 430);
        let hiking = taxonomy.find("outdoors.hiking").unwrap();
        assert_eq!(taxonomy.id(hiking), "outdoors.hiking");
        assert!(taxonomy.leaves().iter().all(|l| l.id.starts_with(&format!("{}.", l.parent))));
    }

    /// The firewall stops a subject; the taxonomy must not have a name for it either.
    #[test]
    fn no_leaf_names_a_protected_subject() {
        let taxonomy = Taxonomy::parse(FILE).unwrap();
        const NEVER: [&str; 21] = [
            "religion",
            "religious",
            "church",
            "faith",
            "politics",
            "election",
            "health",
            "medicine",
            "disease",
            "therapy",
            "gay",
            "lgbt",
            "gender",
            "ethnicity",
            "race",
            "racial",
            "union",
            "unions",
            "philosophy",
            "veganism",
            "abortion",
        ];
        for leaf in taxonomy.leaves() {
            for word in leaf.id.split(['.', '_']) {
                assert!(!NEVER.contains(&word), "{} names {word}", leaf.id);
            }
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let text = "head\na\tA\t\t\t\t\t\t\na.b\tB\tc\t\t\t\t\t\n";
        let error = Taxonomy::parse(text).unwrap_err();
        assert_eq!(error.to_string(), "line 3: parent `c` is no group above this line");
    }
}
