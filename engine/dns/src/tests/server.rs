//! A DNS server in memory: a zone, and messages built from it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// What the zone holds for one name.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Addresses(Vec<IpAddr>),
    Alias(&'static str),
}

/// Names under `test.`, and a SOA above them.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) ttl: u32,
    pub(super) negative_ttl: Option<u32>,
    /// Whether answers follow aliases, as recursive servers do, or leave the rest to the client.
    pub(super) follows_aliases: bool,
}

impl Zone {
    pub(super) fn new(entries: &[(&str, Entry)]) -> Self {
        let entries = entries
            .iter()
            .map(|(name, entry)| ((*name).to_owned(), entry.clone()));
        let entries = entries.collect();
        Self {
            entries,
            ttl: 60,
            negative_ttl: Some(30),
            follows_aliases: true,
        }
    }

    /// The answer to `query`, as a server that knows the whole zone gives it.
    pub(super) fn answer(&self, query: &[u8]) -> Message {
        let query = Message::from_vec(query).unwrap();
        let question = query.queries[0].clone();
        let mut answer = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        answer.add_query(question.clone());
        if query.edns.is_some() {
            answer.set_edns(Edns::new());
        }
        let mut name = question.name.to_lowercase();
        for _ in 0..=self.entries.len() {
            match self.entries.get(name.to_ascii().trim_end_matches('.')) {
                Some(Entry::Alias(target)) => {
                    let target = Name::from_ascii(format!("{target}.")).unwrap();
                    answer.add_answer(record(&name, self.ttl, RData::CNAME(CNAME(target.clone()))));
                    name = target;
                    if !self.follows_aliases {
                        return answer;
                    }
                }
                Some(Entry::Addresses(addresses)) => {
                    for address in addresses {
                        add_address(&mut answer, &name, self.ttl, question.query_type, *address);
                    }
                    break;
                }
                None => {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                    break;
                }
            }
        }
        let is_negative = !answer.answers.iter().any(is_address);
        if let (true, Some(ttl)) = (is_negative, self.negative_ttl) {
            let soa = SOA::new(tld("ns.test."), tld("admin.test."), 1, 1, 1, 1, ttl);
            answer.add_authority(record(&tld("test."), 3_600, RData::SOA(soa)));
        }
        answer
    }

    /// The truth about `name`: all addresses at the end of its aliases; none if there is no such
    /// name.
    pub(super) fn truth(&self, name: &str) -> Option<Vec<IpAddr>> {
        let mut name = name.to_owned();
        for _ in 0..=self.entries.len() {
            match self.entries.get(&name)? {
                Entry::Alias(target) => name = (*target).to_owned(),
                Entry::Addresses(addresses) => return Some(addresses.clone()),
            }
        }
        Some(Vec::new())
    }
}

pub(super) fn tld(name: &str) -> Name {
    Name::from_ascii(name).unwrap()
}

pub(super) fn record(name: &Name, ttl: u32, data: RData) -> Record {
    Record::from_rdata(name.clone(), ttl, data)
}

fn is_address(record: &Record) -> bool {
    matches!(record.data, RData::A(_) | RData::AAAA(_))
}

fn add_address(answer: &mut Message, name: &Name, ttl: u32, kind: RecordType, address: IpAddr) {
    match (address, kind) {
        (IpAddr::V4(address), RecordType::A) => {
            answer.add_answer(record(name, ttl, RData::A(A(address))));
        }
        (IpAddr::V6(address), RecordType::AAAA) => {
            answer.add_answer(record(name, ttl, RData::AAAA(AAAA(address))));
        }
        _ => {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant to count from; its value is irrelevant"
)]
pub(super) fn start() -> Instant {
    Instant::now()
}
