//! Minting: the certificate that a client sees in place of the origin's.
//!
//! One leaf key of a kind serves all certificates of the process for a day ([`MintingKeys`]); each shard has
//! an instance of its own ([`Minter`]), so that shards share no reference counts. The certificate is
//! written here rather than by rcgen, because its issuer must be the authority's subject byte by
//! byte, and rcgen's names cannot hold every subject (`DC=corp,DC=example`).
//!
//! Costs, one core: 23 µs with an ECDSA P-256 authority, 366 µs with RSA-2048. The engine's
//! cache of certificates is the only caller on the data path.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};
use thiserror::Error;
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, DERWriterSeq, Tag};

use crate::authority::{Authority, SignatureAlgorithm};
use crate::leaf_key::{LeafKey, LeafKeyPair};
use crate::limits::{LEAF_BACKDATE, LEAF_KEY_LIFE, LEAF_VALIDITY};
use crate::name::CertificateName;
use crate::origin_certificate::OriginCertificate;

/// Most characters of a common name (RFC 5280 appendix A, ub-common-name).
const COMMON_NAME_MAX: usize = 64;
/// UTCTime and GeneralizedTime (X.680).
const UTC_TIME: Tag = Tag {
    tag_class: yasna::TagClass::Universal,
    tag_number: 23,
};
const GENERALIZED_TIME: Tag = Tag {
    tag_class: yasna::TagClass::Universal,
    tag_number: 24,
};

/// Why no certificate could be made.
#[derive(Debug, Error)]
pub enum MintError {
    /// The authority has expired since it was loaded, or is not valid yet.
    #[error("the certificate authority is not valid now")]
    AuthorityNotValid,
    /// The name constraints of the authority exclude the host.
    #[error("the name constraints of the certificate authority do not permit `{0}`")]
    NotPermitted(CertificateName),
    /// The configuration asks for no RSA key.
    #[error("there is no RSA key (tls.rsa_leaf)")]
    NoRsaKey,
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// Making or using a key failed.
    #[error("signing failed: {0}")]
    Signing(#[from] rcgen::Error),
    /// The TLS library does not take the leaf key.
    #[error("the leaf key cannot be used: {0}")]
    LeafKey(#[from] rustls::Error),
}

/// What the process mints with: the authority and the leaf key of the day. Shared by all shards,
/// never changed; a new day makes a new one.
pub struct MintingKeys {
    authority: Arc<Authority>,
    ecdsa: LeafKeyPair,
    rsa: Option<LeafKeyPair>,
    made: UnixTime,
}

impl MintingKeys {
    /// Makes a leaf key, ECDSA on P-256.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn new(authority: Arc<Authority>, now: UnixTime) -> Result<Self, MintError> {
        Ok(Self {
            authority,
            ecdsa: LeafKeyPair::generate(LeafKey::Ecdsa)?,
            rsa: None,
            made: now,
        })
    }

    /// The same, and an RSA key for clients that take no ECDSA.
    ///
    /// # Errors
    /// As [`MintingKeys::new`].
    pub fn with_rsa(self) -> Result<Self, MintError> {
        Ok(Self {
            rsa: Some(LeafKeyPair::generate(LeafKey::Rsa)?),
            ..self
        })
    }

    /// Whether there is an RSA key.
    #[must_use]
    pub const fn has_rsa(&self) -> bool {
        self.rsa.is_some()
    }

    /// Whether the leaf key has served its day and [`MintingKeys::renewed`] is due.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        // A clock that stepped back far is no reason to keep a key for long.
        let age = now.as_secs().abs_diff(self.made.as_secs());
        Duration::from_secs(age) >= LEAF_KEY_LIFE
    }

    /// The same authority with a new leaf key.
    ///
    /// # Errors
    /// As [`MintingKeys::new`].
    pub fn renewed(&self, now: UnixTime) -> Result<Self, MintError> {
        let keys = Self::new(Arc::clone(&self.authority), now)?;
        match self.has_rsa() {
            true => keys.with_rsa(),
            false => Ok(keys),
        }
    }

    /// The authority.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }
}

impl fmt::Debug for MintingKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MintingKeys")
            .field("authority", &self.authority)
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}

/// Whom a leaf is for.
#[derive(Debug, Clone, Copy)]
pub struct LeafSubject<'a> {
    /// The host that the client asked for.
    pub asked: &'a CertificateName,
    /// The certificate of the origin, whose names are taken over. `None` if there is none that was
    /// verified: an origin that was not reached, or whose certificate was refused or let pass with
    /// a fault; then the leaf names what was asked for and nothing else.
    pub origin: Option<&'a OriginCertificate>,
    /// The kind of key that the client takes.
    pub key: LeafKey,
}

/// A leaf with its key, ready to be served.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The chain and the key.
    pub certified_key: Arc<CertifiedKey>,
    /// Begin of its validity.
    pub not_before: UnixTime,
    /// From here on a new one should be minted: well before it expires.
    pub use_until: UnixTime,
}

/// Mints for one shard.
#[derive(Debug)]
pub struct Minter {
    keys: Arc<MintingKeys>,
    ecdsa: Arc<dyn SigningKey>,
    rsa: Option<Arc<dyn SigningKey>>,
}

impl Minter {
    /// Loads the leaf keys anew, which costs 23 µs once a day and shard.
    ///
    /// # Errors
    /// If the TLS library does not take a leaf key.
    pub fn new(keys: Arc<MintingKeys>) -> Result<Self, MintError> {
        let ecdsa = keys.ecdsa.load()?;
        let rsa = keys.rsa.as_ref().map(LeafKeyPair::load).transpose()?;
        Ok(Self { keys, ecdsa, rsa })
    }

    /// Mints a certificate for `subject`, valid from a little before `now`.
    ///
    /// # Errors
    /// If the authority has expired or may not vouch for the host, there is no key of that kind, or the
    /// system fails.
    pub fn mint(&self, subject: LeafSubject<'_>, now: UnixTime) -> Result<Minted, MintError> {
        let authority = &*self.keys.authority;
        let names = names(authority, subject)?;
        let validity = Validity::new(authority, subject.origin, now)?;
        let mut serial = [0; 16];
        getrandom::fill(&mut serial)?;
        let (key, leaf_key) = match subject.key {
            LeafKey::Ecdsa => (&self.keys.ecdsa, &self.ecdsa),
            LeafKey::Rsa => {
                let pair = self.keys.rsa.as_ref().zip(self.rsa.as_ref());
                pair.ok_or(MintError::NoRsaKey)?
            }
        };
        let leaf = Leaf {
            keys: &self.keys,
            key,
            serial,
            common_name: common_name(authority, subject, &names),
            names: &names,
            validity: &validity,
        };
        let mut chain = Vec::with_capacity(1 + authority.chain().len());
        chain.push(leaf.sign()?);
        chain.extend_from_slice(authority.chain());
        Ok(Minted {
            certified_key: Arc::new(CertifiedKey::new(chain, Arc::clone(leaf_key))),
            not_before: validity.not_before,
            use_until: validity.use_until(now),
        })
    }
}

/// The origin's names as far as the authority may vouch for them, and in any case what was asked.
fn names(
    authority: &Authority,
    subject: LeafSubject<'_>,
) -> Result<Vec<CertificateName>, MintError> {
    let asked = subject.asked;
    if !authority.may_vouch_for(asked) {
        return Err(MintError::NotPermitted(asked.clone()));
    }
    let of_origin = subject.origin.map_or(&[][..], OriginCertificate::names);
    let permitted = of_origin
        .iter()
        .filter(|name| authority.may_vouch_for(name));
    let mut names: Vec<CertificateName> = permitted.cloned().collect();
    if !names.iter().any(|name| name.covers(asked)) {
        names.insert(0, asked.clone());
    }
    Ok(names)
}

/// The common name of the origin if it is one of the names, else what was asked; `None` if it is too
/// long for one, or the authority may not sign it.
fn common_name(
    authority: &Authority,
    subject: LeafSubject<'_>,
    names: &[CertificateName],
) -> Option<String> {
    let of_origin = subject
        .origin
        .and_then(OriginCertificate::common_name)
        .and_then(CertificateName::dns)
        .filter(|name| names.contains(name));
    let name = of_origin.as_ref().unwrap_or(subject.asked).to_string();
    (name.len() <= COMMON_NAME_MAX && authority.permits_common_name(&name)).then_some(name)
}

struct Validity {
    not_before: UnixTime,
    not_after: UnixTime,
}

impl Validity {
    /// Within that of the authority and of the origin's certificate.
    fn new(
        authority: &Authority,
        origin: Option<&OriginCertificate>,
        now: UnixTime,
    ) -> Result<Self, MintError> {
        if now < authority.not_before() || now >= authority.not_after() {
            return Err(MintError::AuthorityNotValid);
        }
        let shifted = |seconds: u64| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let not_before = shifted(now.as_secs().saturating_sub(LEAF_BACKDATE.as_secs()));
        let not_after = shifted(now.as_secs().saturating_add(LEAF_VALIDITY.as_secs()));
        let of_origin = origin
            .and_then(OriginCertificate::not_after)
            .filter(|not_after| *not_after > now)
            .unwrap_or(not_after);
        Ok(Self {
            not_before: not_before.max(authority.not_before()),
            not_after: not_after.min(authority.not_after()).min(of_origin),
        })
    }

    /// Three quarters of what is left.
    fn use_until(&self, now: UnixTime) -> UnixTime {
        let left = self.not_after.as_secs().saturating_sub(now.as_secs());
        UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + left - left / 4))
    }
}

/// A certificate about to be written (RFC 5280 section 4.1).
struct Leaf<'a> {
    keys: &'a MintingKeys,
    key: &'a LeafKeyPair,
    serial: [u8; 16],
    common_name: Option<String>,
    names: &'a [CertificateName],
    validity: &'a Validity,
}

impl Leaf<'_> {
    fn sign(&self) -> Result<CertificateDer<'static>, MintError> {
        let authority = &*self.keys.authority;
        let body = yasna::construct_der(|writer| writer.write_sequence(|body| self.write(body)));
        let signature = authority.sign(&body)?;
        let certificate = yasna::construct_der(|writer| {
            writer.write_sequence(|certificate| {
                certificate.next().write_der(&body);
                write_algorithm(certificate.next(), authority.signature_algorithm());
                let bits = signature.len() * 8;
                certificate.next().write_bitvec_bytes(&signature, bits);
            });
        });
        Ok(CertificateDer::from(certificate))
    }

    fn write(&self, body: &mut DERWriterSeq<'_>) {
        let authority = &*self.keys.authority;
        let version_3 = |writer: DERWriter<'_>| writer.write_u8(2);
        body.next().write_tagged(Tag::context(0), version_3);
        body.next().write_bigint_bytes(&self.serial, true);
        write_algorithm(body.next(), authority.signature_algorithm());
        body.next().write_der(authority.subject_der());
        body.next().write_sequence(|validity| {
            write_time(validity.next(), self.validity.not_before);
            write_time(validity.next(), self.validity.not_after);
        });
        body.next().write_sequence(|subject| {
            if let Some(name) = &self.common_name {
                write_common_name(subject.next(), name);
            }
        });
        body.next().write_der(&self.key.public_key_info);
        body.next().write_tagged(Tag::context(3), |writer| {
            writer.write_sequence(|extensions| self.write_extensions(extensions));
        });
    }

    /// RFC 5280 section 4.2.1, by number.
    fn write_extensions(&self, extensions: &mut DERWriterSeq<'_>) {
        let authority_key = self.keys.authority.key_identifier();
        write_extension(extensions.next(), 35, false, |value| {
            value.write_sequence(|identifier| {
                identifier
                    .next()
                    .write_tagged_implicit(Tag::context(0), |key| key.write_bytes(authority_key));
            });
        });
        write_extension(extensions.next(), 14, false, |value| {
            value.write_bytes(&self.key.key_identifier);
        });
        // digitalSignature: all that a key does in TLS with ephemeral key exchange.
        write_extension(extensions.next(), 15, true, |value| {
            value.write_bitvec_bytes(&[0b1000_0000], 1);
        });
        let is_nameless = self.common_name.is_none();
        write_extension(extensions.next(), 17, is_nameless, |value| {
            value.write_sequence(|names| {
                for name in self.names {
                    write_name(names.next(), name);
                }
            });
        });
        // No authority: the default of cA is FALSE.
        write_extension(extensions.next(), 19, true, |value| {
            value.write_sequence(|_| {});
        });
        let server_auth = ObjectIdentifier::from_slice(&[1, 3, 6, 1, 5, 5, 7, 3, 1]);
        write_extension(extensions.next(), 37, false, |value| {
            value.write_sequence(|usages| usages.next().write_oid(&server_auth));
        });
    }
}

fn write_algorithm(writer: DERWriter<'_>, algorithm: SignatureAlgorithm) {
    let (identifier, has_null): (&[u64], bool) = match algorithm {
        SignatureAlgorithm::EcdsaP256Sha256 => (&[1, 2, 840, 10_045, 4, 3, 2], false),
        SignatureAlgorithm::EcdsaP384Sha384 => (&[1, 2, 840, 10_045, 4, 3, 3], false),
        SignatureAlgorithm::RsaSha256 => (&[1, 2, 840, 113_549, 1, 1, 11], true),
    };
    writer.write_sequence(|fields| {
        fields
            .next()
            .write_oid(&ObjectIdentifier::from_slice(identifier));
        // RFC 4055 section 5: RSA has NULL parameters; RFC 5758 section 3.2: ECDSA has none.
        if has_null {
            fields.next().write_null();
        }
    });
}

/// RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
fn write_time(writer: DERWriter<'_>, time: UnixTime) {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    let text = time.strftime("%Y%m%d%H%M%SZ").to_string();
    match text.strip_prefix("20").filter(|rest| *rest < "5") {
        Some(short) => writer.write_tagged_implicit(UTC_TIME, |writer| {
            writer.write_bytes(short.as_bytes());
        }),
        None => writer.write_tagged_implicit(GENERALIZED_TIME, |writer| {
            writer.write_bytes(text.as_bytes());
        }),
    }
}

fn write_common_name(writer: DERWriter<'_>, name: &str) {
    let common_name = ObjectIdentifier::from_slice(&[2, 5, 4, 3]);
    writer.write_set(|set| {
        set.next().write_sequence(|attribute| {
            attribute.next().write_oid(&common_name);
            attribute.next().write_utf8_string(name);
        });
    });
}

/// `id` is the last number under id-ce (2.5.29).
fn write_extension(
    writer: DERWriter<'_>,
    id: u64,
    critical: bool,
    value: impl FnOnce(DERWriter<'_>),
) {
    writer.write_sequence(|extension| {
        let id = ObjectIdentifier::from_slice(&[2, 5, 29, id]);
        extension.next().write_oid(&id);
        if critical {
            extension.next().write_bool(true);
        }
        extension.next().write_bytes(&yasna::construct_der(value));
    });
}

fn write_name(writer: DERWriter<'_>, name: &CertificateName) {
    match name {
        CertificateName::Dns(name) => writer.write_tagged_implicit(Tag::context(2), |writer| {
            writer.write_bytes(name.as_bytes());
        }),
        CertificateName::Address(address) => {
            writer.write_tagged_implicit(Tag::context(7), |writer| match address {
                IpAddr::V4(address) => writer.write_bytes(&address.octets()),
                IpAddr::V6(address) => writer.write_bytes(&address.octets()),
            });
        }
    }
}
