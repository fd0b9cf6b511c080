//! Faults of responses that can be read in one way only, or that the configuration has read in one.
//!
//! A response is read once, here, and written anew for the client: what is let pass does not travel on.
//! Requests are never met with leniency: what they say decides which rules look at them.

/// Which faults are let pass besides those that cannot be misread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leniency {
    /// Lines of a head that end in LF alone.
    pub bare_lf: bool,
    /// `Transfer-Encoding: chunked` beside `Content-Length`: the coding counts, and the connection
    /// carries nothing after this response (RFC 9112 section 6.3).
    pub length_with_coding: bool,
}

/// What was let pass in one head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerated {
    /// Blanks between a field name and its colon (RFC 9112 section 5.1).
    pub blank_before_colon: bool,
    /// The same `Content-Length` more than once (RFC 9110 section 8.6).
    pub length_repeated: bool,
    /// See [`Leniency::bare_lf`].
    pub bare_lf: bool,
    /// See [`Leniency::length_with_coding`].
    pub length_with_coding: bool,
}

impl Tolerated {
    /// What it was, in words for the log.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        [
            (self.blank_before_colon, "blanks around a field"),
            (self.length_repeated, "repeated Content-Length"),
            (self.bare_lf, "lines that end in LF"),
            (
                self.length_with_coding,
                "Transfer-Encoding with Content-Length",
            ),
        ]
        .into_iter()
        .filter_map(|(was_met, words)| was_met.then_some(words))
    }

    /// Whether the lines of the head can be copied as they are.
    pub(crate) const fn has_plain_lines(self) -> bool {
        !self.blank_before_colon && !self.bare_lf
    }
}

/// How the field lines of one head are read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading<'t> {
    /// As a request: nothing is let pass.
    Strict,
    /// As a response; what is let pass is noted.
    Response(Leniency, &'t std::cell::Cell<Tolerated>),
}

impl Reading<'_> {
    /// Notes a fault that is let pass if `is_permitted`; says whether it is.
    pub(crate) fn tolerates(
        self,
        is_permitted: impl FnOnce(Leniency) -> bool,
        note: impl FnOnce(&mut Tolerated),
    ) -> bool {
        let Self::Response(leniency, tolerated) = self else {
            return false;
        };
        let permits = is_permitted(leniency);
        if permits {
            let mut all = tolerated.get();
            note(&mut all);
            tolerated.set(all);
        }
        permits
    }
}
