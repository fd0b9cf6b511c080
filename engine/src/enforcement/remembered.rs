//! What PreDNS said before, and where it led. Its verdict is a function of the facts that its rules ask for:
//! where those are what says where a request goes, and whence, the same question has the same answer for as
//! long as the rules are the same. What the guard let through of the addresses holds for as long as the
//! addresses do: rules and guard are of one snapshot.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Instant;

use sallyport_ruleset::{Bundle, Composed, Fact, Facts, Host, Phase, ProtocolSet, Source, Verdict};

use crate::destination::AddressList;
use crate::hashing::MapHasher;
use crate::limits::VERDICTS_REMEMBERED;

/// What a verdict may rest on to be remembered, beside the address of the client.
const OF_DESTINATION: &[Source] = &[
    Source::Protocol,
    Source::DestinationDomain,
    Source::DestinationHost,
    Source::Authority,
    Source::DestinationPort,
];

/// Verdicts of PreDNS without an alert, under one bundle: [`VERDICTS_REMEMBERED`] places, and a question has
/// one of them.
#[derive(Debug)]
pub(super) struct Remembered {
    /// Empty where the rules ask for more than can be compared.
    places: Vec<Option<Answer>>,
    asks_source_ip: bool,
    hasher: MapHasher,
    next_number: u64,
}

#[derive(Debug)]
struct Answer {
    number: u64,
    domain: String,
    question: Question<'static>,
    verdict: Verdict,
    /// What the guard let through, and until when those are the addresses of the name.
    guarded: Option<(AddressList, Instant)>,
}

/// One answer, for as long as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnswerId {
    place: usize,
    number: u64,
}

/// All that the rules are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question<'a> {
    /// Empty for an address.
    domain: &'a str,
    address: Option<IpAddr>,
    port: u16,
    protocol: ProtocolSet,
    /// `None` where no rule asks for it.
    source_ip: Option<IpAddr>,
}

impl Remembered {
    pub(super) fn new(bundle: &Bundle) -> Self {
        let sources = bundle.sources(Phase::PreDns);
        let is_comparable =
            |source: &Source| OF_DESTINATION.contains(source) || *source == Source::SourceIp;
        let places = match sources.iter().all(is_comparable) {
            true => VERDICTS_REMEMBERED,
            false => 0,
        };
        let hasher = MapHasher::default();
        let mut remembered = Self {
            places: Vec::new(),
            asks_source_ip: sources.contains(&Source::SourceIp),
            // A random one: an answer that other rules gave is not found among these.
            next_number: hasher.hash_one(0_u8),
            hasher,
        };
        remembered.places.resize_with(places, || None);
        remembered
    }

    /// The question that `facts` ask, if its answer may be remembered: all of it must be known.
    pub(super) fn question<'a>(&self, facts: &Facts<'a>) -> Option<Question<'a>> {
        let Fact::Known(Composed::Authority(host, port)) = facts.authority else {
            return None;
        };
        let (Fact::Known(protocol), Fact::Known(source_ip)) = (facts.protocol, facts.source_ip)
        else {
            return None;
        };
        let (domain, address) = match host {
            Host::Name(domain) => (domain, None),
            Host::Address(address) => ("", Some(address)),
        };
        // The same host, in each of the fields that have it.
        let is_consistent = facts.destination_port == Fact::Known(port)
            && facts.destination_host == Fact::Known(Composed::Host(host))
            && facts.destination_domain == address.map_or(Fact::Known(domain), |_| Fact::Absent);
        let is_askable = !self.places.is_empty() && is_consistent;
        is_askable.then_some(Question {
            domain,
            address,
            port,
            protocol,
            source_ip: self.asks_source_ip.then_some(source_ip),
        })
    }

    /// What was answered to the same question.
    pub(super) fn answer(&self, question: &Question<'_>) -> Option<(Verdict, AnswerId)> {
        let place = self.place_of(question);
        let answer = self.places.get(place)?.as_ref()?;
        let asked = Question {
            domain: &answer.domain,
            ..answer.question
        };
        let number = answer.number;
        (asked == *question).then_some((answer.verdict, AnswerId { place, number }))
    }

    /// Keeps an answer in place of the one before, in its memory.
    pub(super) fn remember(
        &mut self,
        question: &Question<'_>,
        verdict: Verdict,
    ) -> Option<AnswerId> {
        let place = self.place_of(question);
        let kept = self.places.get_mut(place)?;
        let before = kept.take().map(|answer| answer.domain);
        let mut domain = before.unwrap_or_default();
        question.domain.clone_into(&mut domain);
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        *kept = Some(Answer {
            number,
            domain,
            question: Question {
                domain: "",
                ..*question
            },
            verdict,
            guarded: None,
        });
        Some(AnswerId { place, number })
    }

    /// What was guarded last for a name that was let in by this answer, if it still has those addresses.
    pub(super) fn guarded(&self, id: AnswerId, now: Instant) -> Option<&AddressList> {
        let answer = self.places.get(id.place)?.as_ref()?;
        let (addresses, expires) = answer.guarded.as_ref()?;
        (answer.number == id.number && now < *expires).then_some(addresses)
    }

    /// Keeps what was guarded beside the answer, if that is still there.
    pub(super) fn keep_guarded(&mut self, id: AnswerId, addresses: AddressList, expires: Instant) {
        if let Some(Some(answer)) = self.places.get_mut(id.place)
            && answer.number == id.number
        {
            answer.guarded = Some((addresses, expires));
        }
    }

    fn place_of(&self, question: &Question<'_>) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(question.domain.as_bytes());
        question.address.hash(&mut hasher);
        question.source_ip.hash(&mut hasher);
        hasher.write_u16(question.port);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is below the number of places"
        )]
        let place = (hasher.finish() % VERDICTS_REMEMBERED as u64) as usize;
        place
    }
}
