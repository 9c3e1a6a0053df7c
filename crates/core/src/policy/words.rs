//! A policy in plain words, for the people who answer for it.

use super::{Boundary, Choosing, CrossPlatform, Permission, Policy, RegionRule, Scope};
use crate::standing::Channel;
use jiff::tz::Offset;
use std::fmt::{self, Display, Formatter};

impl Display for Policy {
    /// One sentence a line.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Policy {} (id {:016x})", self.version, self.id.0)?;
        writeln!(f)?;
        writeln!(f, "Chats")?;
        if self.kill_switch {
            writeln!(f, "- The kill switch is on: no chat is read, and nothing learned is used.")?;
        }
        let effective = Offset::UTC.to_datetime(self.effective);
        let effective = effective.strftime("%-d %B %Y, %H:%M UTC");
        writeln!(f, "- Only what was said from {effective} on is used.")?;
        let platforms: Vec<_> = self.platforms.iter().map(|p| p.as_str()).collect();
        writeln!(f, "- Platforms: {}.", platforms.join(", "))?;
        let products: Vec<_> = self.products.on.iter().map(|p| p.as_str()).collect();
        writeln!(f, "- Products: {}.", some(&products))?;
        writeln!(
            f,
            "- Voice: {}. Image prompts: {}.",
            used(self.products.voice),
            used(self.products.image_prompts)
        )?;
        match self.min_age {
            0 => writeln!(f, "- There is no minimum age.")?,
            age => writeln!(
                f,
                "- Not of anyone under {age}, nor of anyone thought to be a minor; an age that \
                 nobody declared is taken as old enough."
            )?,
        }
        writeln!(f)?;
        writeln!(f, "Regions")?;
        writeln!(f, "- A region that is not known: nothing is used.")?;
        for rule in &self.regions {
            writeln!(f, "- {rule}")?;
        }
        writeln!(f, "- Elsewhere: {}.", self.elsewhere)?;
        writeln!(f)?;
        writeln!(f, "Notice")?;
        self.notice_in_words(f)?;
        writeln!(f)?;
        writeln!(f, "Sensitive subjects")?;
        writeln!(
            f,
            "- Religion, sexual orientation, politics, health, ethnic origin, philosophy and \
             union membership are never used."
        )?;
        match self.scope {
            Scope::Conversation => writeln!(
                f,
                "- One such turn shuts its whole conversation: what it taught before is erased, \
                 what comes after is not used."
            )?,
            Scope::Turn => writeln!(f, "- Such a turn is not used; its conversation goes on.")?,
        }
        writeln!(f)?;
        writeln!(f, "Profiles")?;
        match self.cross_platform {
            CrossPlatform::Linked => writeln!(f, "- Accounts that a person has linked share one.")?,
            CrossPlatform::Never => writeln!(f, "- Every account has its own, linked or not.")?,
        }
        writeln!(
            f,
            "- What was learned counts half after {} days and is gone after {} days.",
            self.half_life_days, self.retention_days
        )?;
        if self.gpc {
            writeln!(
                f,
                "- Where there is a choice, a Global Privacy Control signal is to be sent on as \
                 the choice `out`."
            )?;
        }
        Ok(())
    }
}

impl Policy {
    fn notice_in_words(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.notice.required {
            return writeln!(f, "- None is needed.");
        }
        let channels: Vec<_> = self
            .notice
            .channels
            .iter()
            .map(|channel| match channel {
                Channel::InApp => "in the app",
                Channel::Email => "by e-mail",
            })
            .collect();
        writeln!(
            f,
            "- Delivered {} at least {} days before a turn is used.",
            channels.join(" or "),
            self.notice.lead_days
        )?;
        if let Some(day) = &self.notice.first_day {
            writeln!(f, "- Notices from before {day} do not count.")?;
        }
        match (self.notice.must_name_ai_chats, &self.notice.naming_ai_chats[..]) {
            (false, _) => writeln!(f, "- Its first screen need not name AI chats."),
            (true, []) => writeln!(
                f,
                "- Its first screen must name AI chats; none is listed that does, so no chat can \
                 be used."
            ),
            (true, list) => {
                let list: Vec<_> = list.iter().map(|(n, v)| format!("{n} version {v}")).collect();
                writeln!(f, "- Its first screen must name AI chats: {}.", list.join(", "))
            }
        }
    }
}

impl Display for RegionRule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.named.join(", "))?;
        if let Some(from) = &self.from {
            write!(f, ", from {from}")?;
        }
        if let Some(until) = &self.until {
            write!(f, ", until {until}")?;
        }
        write!(f, ": {}.", self.permission)
    }
}

impl Display for Permission {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.infer, self.apply) {
            (true, true) => "chats are read and used",
            (true, false) => "chats are read, but what they taught is not used",
            (false, true) => "chats are not read; what was learned before is used",
            (false, false) => "chats are neither read nor used",
        })?;
        if !self.infer {
            return Ok(());
        }
        f.write_str(match self.choice {
            Choosing::None => ", without a choice",
            Choosing::OptOut => ", until the person opts out",
            Choosing::OptIn => ", once the person has opted in",
        })
    }
}

impl Display for Boundary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.earliest == self.latest {
            return write!(f, "{}", self.latest);
        }
        let day = Offset::constant(-12).to_datetime(self.latest).date();
        write!(f, "{day} (where in doubt, the stricter side of midnight)")
    }
}

fn used(on: bool) -> &'static str {
    if on { "used" } else { "not used" }
}

fn some(list: &[&str]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}
