//! The meaning of an ACL as a whole: its formula, and what of it is different or left.

use super::acl::{Acl, Meaning, Translator, View};
use super::meaning::Work;
use super::unsupported::Unsupported;

impl Translator {
    /// The meaning of an ACL that does not refer to others.
    pub(super) fn meaning(&mut self, acl: &Acl, view: View) -> Meaning {
        let unread = acl.lines.iter().find_map(|line| line.unread.clone());
        if let Some(why) = unread {
            return Meaning::unknown(why);
        }
        let mut work = Work::new(self, acl, view);
        let formula = work.formula();
        let (differences, left) = work.finish();
        let values_count: usize = acl.lines.iter().map(|line| line.values.len()).sum();
        let formula = match formula {
            Ok(_) if values_count > 0 && left.len() == values_count => {
                let why = left.first().map_or("", |(_, _, why)| why.as_str());
                Err(Unsupported::NoValue(why.to_owned()))
            }
            other => other,
        };
        Meaning {
            formula,
            differences,
            left,
        }
    }
}
