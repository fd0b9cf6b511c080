//! What an answer says about the name asked for: addresses, an alias to follow, nothing, or a
//! failure.
//!
//! Only records that belong to the chain of the name asked are looked at (RFC 5452 section 6); the
//! additional section is not read at all. Whether a message is the answer at all is `query.rs`'s to
//! say.

use std::net::IpAddr;

use hickory_proto::op::{Header, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};

use crate::error::DnsError;
use crate::limits::{
    ADDRESSES_PER_FAMILY_MAX, ALIAS_QUESTIONS_MAX, ALIASES_MAX, ANSWER_RECORDS_MAX,
    AUTHORITY_RECORDS_MAX,
};
use crate::query::{SentQuery, Transport, is_format_refusal};

/// What an answer comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Addresses of the last name of the chain.
    Addresses(Vec<IpAddr>, Ttl),
    /// The answer ends in an alias, now the last name of the chain, and knows no more about it.
    Alias(Ttl),
    /// The last name of the chain does not exist, or has no such addresses. Without SOA, there is
    /// no time to live (RFC 2308 section 5).
    Absent(DnsError, Option<Ttl>),
    /// The chain itself is at fault; another server would say the same.
    BadChain(DnsError),
    /// TC over UDP: ask the same server over TCP (RFC 7766 section 5).
    Truncated,
    /// The server does not understand EDNS(0) (RFC 6891 section 7).
    EdnsRefused,
    /// This server cannot help; another may.
    Failed(DnsError),
}

/// Seconds that a record may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ttl(pub(crate) u32);

impl Ttl {
    const UNLIMITED: Self = Self(u32::MAX);

    /// RFC 2181 section 8: values with the top bit set count as zero.
    fn of(record: &Record) -> Self {
        Self(if record.ttl > i32::MAX.unsigned_abs() {
            0
        } else {
            record.ttl
        })
    }
}

/// The names from the one asked for to the one that is asked about now, each an alias of the next.
#[derive(Debug)]
pub(crate) struct Chain {
    passed: Vec<Name>,
    current: Name,
    /// How often the answer had to be asked for, after the first time.
    questions: usize,
}

impl Chain {
    pub(crate) fn new(name: Name) -> Self {
        Self {
            passed: Vec::new(),
            current: name,
            questions: 0,
        }
    }

    /// The name that is asked about now.
    pub(crate) fn current(&self) -> &Name {
        &self.current
    }

    /// An answer has ended in an alias: the last name must be asked for.
    fn ask_on(&mut self, ttl: Ttl) -> Reply {
        self.questions += 1;
        match self.questions > ALIAS_QUESTIONS_MAX {
            true => Reply::BadChain(DnsError::AliasChainTooLong),
            false => Reply::Alias(ttl),
        }
    }

    fn follow(&mut self, target: &Name) -> Result<(), DnsError> {
        if self.passed.len() >= ALIASES_MAX {
            return Err(DnsError::AliasChainTooLong);
        }
        if *target == self.current || self.passed.contains(target) {
            return Err(DnsError::AliasLoop);
        }
        let mut target = target.to_lowercase();
        target.set_fqdn(true);
        self.passed
            .push(std::mem::replace(&mut self.current, target));
        Ok(())
    }
}

/// Reads the answer to `query`, whose header is read and whose decoder stands at the answer
/// section. `chain` moves on along the aliases in it.
pub(crate) fn read(
    query: &SentQuery,
    header: &Header,
    mut decoder: BinDecoder<'_>,
    chain: &mut Chain,
) -> Reply {
    if header.metadata.truncation {
        return match query.transport {
            Transport::Udp => Reply::Truncated,
            Transport::Tcp => Reply::Failed(DnsError::ServerFailure),
        };
    }
    let name_exists = match header.metadata.response_code {
        ResponseCode::NoError => true,
        ResponseCode::NXDomain => false,
        code if query.edns && is_format_refusal(code) => return Reply::EdnsRefused,
        ResponseCode::Refused => return Reply::Failed(DnsError::Refused),
        _ => return Reply::Failed(DnsError::ServerFailure),
    };
    let Ok(answers) = read_answers(&mut decoder, header) else {
        return Reply::Failed(DnsError::ServerFailure);
    };
    let ttl = match follow_aliases(&answers, query.record_type, chain) {
        Ok(ttl) => ttl,
        Err(error) => return Reply::BadChain(error),
    };
    let (addresses, ttl) = addresses_of(&answers, query.record_type, chain.current(), ttl);
    if !addresses.is_empty() {
        return Reply::Addresses(addresses, ttl);
    }
    read_absence(name_exists, header, &mut decoder, chain, ttl)
}

fn read_answers(decoder: &mut BinDecoder<'_>, header: &Header) -> Result<Vec<Record>, DecodeError> {
    let count = usize::from(header.counts.answers);
    if count > ANSWER_RECORDS_MAX {
        return Err(DecodeError::InsufficientBytes);
    }
    (0..count).map(|_| Record::read(decoder)).collect()
}

/// Moves `chain` along the CNAME records, in whatever order they come (RFC 1034 section 3.6.2), to
/// the first name that has addresses or no alias. Returns the least TTL met.
fn follow_aliases(
    answers: &[Record],
    record_type: RecordType,
    chain: &mut Chain,
) -> Result<Ttl, DnsError> {
    let mut ttl = Ttl::UNLIMITED;
    while !answers
        .iter()
        .any(|record| address_of(record, record_type, chain.current()).is_some())
    {
        let alias = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if is_about(record, chain.current()) => {
                Some((&target.0, Ttl::of(record)))
            }
            _ => None,
        });
        let Some((target, alias_ttl)) = alias else {
            break;
        };
        ttl = ttl.min(alias_ttl);
        chain.follow(target)?;
    }
    Ok(ttl)
}

/// The addresses of `name`, without duplicates, and the least TTL of `ttl` and theirs.
fn addresses_of(
    answers: &[Record],
    record_type: RecordType,
    name: &Name,
    mut ttl: Ttl,
) -> (Vec<IpAddr>, Ttl) {
    let mut addresses = Vec::new();
    for record in answers {
        let Some(address) = address_of(record, record_type, name) else {
            continue;
        };
        if addresses.len() < ADDRESSES_PER_FAMILY_MAX && !addresses.contains(&address) {
            addresses.push(address);
        }
        ttl = ttl.min(Ttl::of(record));
    }
    (addresses, ttl)
}

/// No addresses: which kind of none is it (RFC 2308 section 2)?
fn read_absence(
    name_exists: bool,
    header: &Header,
    decoder: &mut BinDecoder<'_>,
    chain: &mut Chain,
    ttl: Ttl,
) -> Reply {
    let Ok(authority) = read_authority(decoder, header, chain.current()) else {
        return Reply::Failed(DnsError::ServerFailure);
    };
    let negative_ttl = authority.soa_ttl.map(|soa_ttl| soa_ttl.min(ttl));
    if !name_exists {
        return Reply::Absent(DnsError::NoSuchName, negative_ttl);
    }
    if negative_ttl.is_some() {
        return Reply::Absent(DnsError::NoAddresses, negative_ttl);
    }
    if ttl != Ttl::UNLIMITED {
        return chain.ask_on(ttl);
    }
    // RFC 2308 section 2.2: NS without SOA is a referral, which a recursive server has no business
    // to send.
    if authority.is_referral
        && !header.metadata.recursion_available
        && !header.metadata.authoritative
    {
        return Reply::Failed(DnsError::ServerFailure);
    }
    Reply::Absent(DnsError::NoAddresses, None)
}

#[derive(Debug, Default)]
struct Authority {
    /// How long the absence may be kept (RFC 2308 section 5).
    soa_ttl: Option<Ttl>,
    is_referral: bool,
}

fn read_authority(
    decoder: &mut BinDecoder<'_>,
    header: &Header,
    name: &Name,
) -> Result<Authority, DecodeError> {
    let mut authority = Authority::default();
    for _ in 0..usize::from(header.counts.authorities).min(AUTHORITY_RECORDS_MAX) {
        let record = Record::read(decoder)?;
        match &record.data {
            RData::SOA(soa) if record.dns_class == DNSClass::IN && record.name.zone_of(name) => {
                authority.soa_ttl = Some(Ttl::of(&record).min(Ttl(soa.minimum)));
            }
            RData::NS(_) => authority.is_referral = true,
            _ => {}
        }
    }
    Ok(authority)
}

fn address_of(record: &Record, record_type: RecordType, name: &Name) -> Option<IpAddr> {
    let address = match (&record.data, record_type) {
        (RData::A(address), RecordType::A) => IpAddr::V4(address.0),
        (RData::AAAA(address), RecordType::AAAA) => IpAddr::V6(address.0),
        _ => return None,
    };
    is_about(record, name).then_some(address)
}

fn is_about(record: &Record, name: &Name) -> bool {
    record.dns_class == DNSClass::IN && record.name == *name
}
