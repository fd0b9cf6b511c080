//! What a connection shows by itself of who is at its other end, and what was made of it.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use crate::identity::{Attributes, Authenticated, Identities, Shown, Subject};
use crate::tls::client_identity::{CertificateNames, ClientIdentity};

/// A connection as it arrived, as far as that says who its client is.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// What identifies its listener in the configuration.
    pub(crate) listener: SocketAddr,
    /// The client, whoever has named it.
    pub(crate) address: IpAddr,
    /// The private endpoint that it came through.
    pub(crate) endpoint: Option<Rc<str>>,
    /// What it has shown in TLS, if that is spoken.
    pub(crate) certificate: Option<ClientIdentity>,
}

/// Who is at the other end of a connection, as far as the connection says.
#[derive(Debug)]
pub(crate) struct Peer {
    arrival: Arrival,
    /// Whom its certificate names.
    names: Option<CertificateNames>,
    /// What it is where the configuration says nothing of identity.
    own: Rc<Subject>,
    /// What was found last. Most connections are of one user.
    known: RefCell<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    /// Under which identities.
    id: u64,
    subject: Rc<Subject>,
}

/// By what a client is named.
#[derive(Debug, Clone, Copy)]
enum By<'a> {
    Nothing,
    Certificate(&'a CertificateNames),
    Credentials(&'a Rc<Authenticated>),
}

impl Peer {
    pub(crate) fn new(arrival: Arrival) -> Self {
        let names = arrival.certificate.as_ref().and_then(ClientIdentity::names);
        let own = Subject {
            endpoint: arrival.endpoint.clone(),
            principal: names.as_ref().map(|names| Rc::clone(&names.principal)),
            ..Subject::default()
        };
        Self {
            arrival,
            names,
            own: Rc::new(own),
            known: RefCell::default(),
        }
    }

    /// What identifies its listener in the configuration.
    pub(crate) fn listener(&self) -> SocketAddr {
        self.arrival.listener
    }

    /// What it has shown in TLS.
    pub(crate) fn certificate(&self) -> Option<&ClientIdentity> {
        self.arrival.certificate.as_ref()
    }

    /// Whether its certificate names somebody.
    pub(crate) fn is_named(&self) -> bool {
        self.names.is_some()
    }

    /// The client where the configuration says nothing of identity.
    pub(crate) fn own(&self) -> &Rc<Subject> {
        &self.own
    }

    /// The client by its certificate, if it has shown one.
    pub(crate) fn by_certificate(&self, identities: &Identities) -> Rc<Subject> {
        let by = self.names.as_ref().map_or(By::Nothing, By::Certificate);
        self.subject(identities, by)
    }

    /// The client before it has said who it is.
    pub(crate) fn unknown(&self, identities: &Identities) -> Rc<Subject> {
        self.subject(identities, By::Nothing)
    }

    /// The client by what it has said.
    pub(crate) fn by_credentials(
        &self,
        identities: &Identities,
        credentials: &Rc<Authenticated>,
    ) -> Rc<Subject> {
        self.subject(identities, By::Credentials(credentials))
    }

    fn subject(&self, identities: &Identities, by: By<'_>) -> Rc<Subject> {
        let known = self.known.borrow();
        if let Some(known) = &*known
            && known.id == identities.id
            && by.is_of(&known.subject)
        {
            return Rc::clone(&known.subject);
        }
        drop(known);
        let subject = Rc::new(self.identify(identities, by));
        self.known.replace(Some(Known {
            id: identities.id,
            subject: Rc::clone(&subject),
        }));
        subject
    }

    fn identify(&self, identities: &Identities, by: By<'_>) -> Subject {
        let (principal, spiffe, labels) = match by {
            By::Nothing => (None, None, None),
            By::Certificate(names) => (Some(&names.principal), names.spiffe.as_ref(), None),
            By::Credentials(known) => {
                let labels = Some(&known.labels);
                (Some(&known.principal), known.spiffe.as_ref(), labels)
            }
        };
        let Arrival {
            address, endpoint, ..
        } = &self.arrival;
        let attributes: Attributes = identities.sources.attributes(&Shown {
            address: *address,
            endpoint: endpoint.as_deref(),
            principal: principal.map(|name| &**name),
            spiffe: spiffe.map(|id| &**id),
            labels,
        });
        Subject {
            endpoint: endpoint.clone(),
            principal: principal.cloned(),
            attributes,
            credentials: match by {
                By::Credentials(credentials) => Some(Rc::clone(credentials)),
                By::Nothing | By::Certificate(_) => None,
            },
        }
    }
}

impl By<'_> {
    fn is_of(self, subject: &Subject) -> bool {
        match (self, &subject.credentials, &subject.principal) {
            (Self::Nothing, None, None) | (Self::Certificate(_), None, Some(_)) => true,
            (Self::Credentials(one), Some(other), _) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }
}
