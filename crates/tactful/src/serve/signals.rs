//! What a browser or an ad request says about privacy: Global Privacy Control, and the IAB's
//! Global Privacy Platform. Where the policy heeds them, they count as the choice `out`, and so
//! only where there is a choice.

use axum::http::HeaderMap;
use iab_gpp::sections::Section;
use iab_gpp::sections::us_common::OptOut;
use iab_gpp::sections::usnat::Core;
use iab_gpp::v1::GPPString;
use jiff::Timestamp;
use serde_json::Value;
use tactful_core::policy::Policy;
use tactful_core::profile::Person;
use tactful_core::standing::Wish;

/// Longer than any real GPP string.
const LONGEST: usize = 4096;

/// Does a request say `Sec-GPC: 1`, or bring a GPP string (as `Tactful-Gpp`) that opts out?
pub fn in_headers(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("sec-gpc") == Some("1") || text("tactful-gpp").is_some_and(gpp_opts_out)
}

/// Does an OpenRTB request say so in `regs`?
pub fn in_bid_request(request: &Value) -> bool {
    let regs = &request["regs"];
    let gpc = [&regs["gpc"], &regs["ext"]["gpc"]];
    let gpp = [&regs["gpp"], &regs["ext"]["gpp"]];
    gpc.iter().any(|value| value.as_str() == Some("1") || value.as_i64() == Some(1))
        || gpp.iter().filter_map(|value| value.as_str()).any(gpp_opts_out)
}

/// Does a GPP string opt out of sale, sharing or targeted advertising in any section for the United
/// States, or carry GPC? What cannot be read is taken as an opt-out: when in doubt, leave it out.
pub fn gpp_opts_out(text: &str) -> bool {
    if text.len() > LONGEST {
        return true;
    }
    let Ok(gpp) = text.parse::<GPPString>() else { return true };
    gpp.decode_all_sections().into_iter().any(|section| section.map_or(true, |s| opts_out(&s)))
}

fn opts_out(section: &Section) -> bool {
    let out = |wish: &OptOut| *wish == OptOut::OptedOut;
    // The sections of the States have the same fields, each in a type of its own.
    macro_rules! of {
        ($section:expr) => {
            out(&$section.core.sale_opt_out)
                || out(&$section.core.targeted_advertising_opt_out)
                || $section.gpc == Some(true)
        };
        ($section:expr, without gpc) => {
            out(&$section.core.sale_opt_out) || out(&$section.core.targeted_advertising_opt_out)
        };
    }
    match section {
        Section::UsNat(s) => {
            let core = match &s.core {
                Core::V1(core) => {
                    [&core.sale_opt_out, &core.sharing_opt_out, &core.targeted_advertising_opt_out]
                }
                Core::V2(core) => {
                    [&core.sale_opt_out, &core.sharing_opt_out, &core.targeted_advertising_opt_out]
                }
                _ => return true,
            };
            core.into_iter().any(out) || s.gpc == Some(true)
        }
        Section::UsCa(s) => {
            out(&s.core.sale_opt_out) || out(&s.core.sharing_opt_out) || s.gpc == Some(true)
        }
        Section::UsCo(s) => of!(s),
        Section::UsCt(s) => of!(s),
        Section::UsDe(s) => of!(s),
        Section::UsIa(s) => of!(s),
        Section::UsMn(s) => of!(s),
        Section::UsMt(s) => of!(s),
        Section::UsNe(s) => of!(s),
        Section::UsNh(s) => of!(s),
        Section::UsNj(s) => of!(s),
        Section::UsOr(s) => of!(s),
        Section::UsTn(s) => of!(s),
        Section::UsTx(s) => of!(s),
        Section::UsFl(s) => of!(s, without gpc),
        Section::UsUt(s) => of!(s, without gpc),
        Section::UsVa(s) => of!(s, without gpc),
        Section::UspV1(s) => s.opt_out_sale == iab_gpp::sections::uspv1::Flag::Yes,
        // Consent strings of the European Union and of Canada say nothing of an opt-out; these
        // regions are the policy's business.
        _ => false,
    }
}

/// Lets a signal count as the choice `out`, for this request only.
pub fn heed(policy: &Policy, person: &mut Person, now: Timestamp) {
    if policy.gpc {
        for member in &mut person.members {
            member.history.choices.push((now, Wish::Out));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::gpp_opts_out;

    #[test]
    fn a_gpp_string_opts_out_by_any_of_its_sections() {
        // US Privacy: opted out of sale, and not.
        assert!(gpp_opts_out("DBABTA~1YYN"));
        assert!(!gpp_opts_out("DBABTA~1YNN"));
        // A European consent string alone.
        assert!(!gpp_opts_out("DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"));
        // When in doubt, leave it out.
        assert!(gpp_opts_out("garbage"));
        assert!(gpp_opts_out(&"D".repeat(5000)));
    }
}
