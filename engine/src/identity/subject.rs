//! Who a request is by, as rules and the log name it.

use std::rc::Rc;

use sallyport_ruleset::{Fact, Facts, HeaderFields};

use super::attributes::Attributes;
use super::credentials::Authenticated;

/// Who a request is by. What is not known is absent.
#[derive(Debug, Default)]
pub(crate) struct Subject {
    /// The private endpoint that it came through: `request:SourceVpce`.
    pub(crate) endpoint: Option<Rc<str>>,
    /// `request:Principal`.
    pub(crate) principal: Option<Rc<str>>,
    pub(crate) attributes: Attributes,
    /// By which it has authenticated; none by its certificate, or if it need not.
    pub(crate) credentials: Option<Rc<Authenticated>>,
}

impl Subject {
    /// Puts all that is known of the client but its address among `facts`.
    pub(crate) fn tell<'f>(&'f self, facts: &mut Facts<'f>) {
        fn text<T: AsRef<str>>(text: Option<&T>) -> Fact<&[u8]> {
            text.map(|text| text.as_ref().as_bytes()).into()
        }
        let Attributes {
            vpc,
            account,
            labels,
        } = &self.attributes;
        let labels = (!labels.is_empty()).then_some(labels as &dyn HeaderFields);
        facts.source_vpce = text(self.endpoint.as_ref());
        facts.source_vpc = text(vpc.as_ref());
        facts.source_account = text(account.as_ref());
        facts.source_labels = labels.into();
        facts.principal = text(self.principal.as_ref());
    }
}
