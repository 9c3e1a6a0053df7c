//! Groups of regions that a policy may name.

use crate::chat::Region;

/// The member states, and the parts of them that have an ISO 3166-1 code of their own and are in
/// the Union: Åland and the outermost regions (TFEU article 349).
const EU: &str = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE \
                  AX GF GP MF MQ RE YT";

/// The Union with Iceland, Liechtenstein and Norway.
const EEA_BESIDES: &str = "IS LI NO";

/// The United Kingdom with the places that its data-protection law, or one made like it, covers:
/// Gibraltar, Guernsey, the Isle of Man, Jersey.
const UK: &str = "GB GI GG IM JE";

/// The regions that a name in a policy stands for: a group (`EU`, `EEA`, `UK`) or one ISO 3166-1
/// alpha-2 code. `None` when it is neither.
pub fn regions(name: &str) -> Option<Vec<Region>> {
    let codes = match name {
        "EU" => EU.to_owned(),
        "EEA" => format!("{EU} {EEA_BESIDES}"),
        "UK" => UK.to_owned(),
        code if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) => code.to_owned(),
        _ => return None,
    };
    codes.split_whitespace().map(Region::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_whole() {
        assert_eq!(regions("EU").unwrap().len(), 27 + 7);
        assert_eq!(regions("EEA").unwrap().len(), 27 + 7 + 3);
        assert!(regions("UK").unwrap().contains(&Region::new("JE").unwrap()));
        assert_eq!(regions("KR").unwrap(), [Region::new("KR").unwrap()]);
        assert!(regions("Europe").is_none() && regions("kr").is_none());
    }
}
