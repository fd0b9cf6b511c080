//! One query as a message, and whether a message is its answer.
//!
//! What the answer says is `answer.rs`'s; when to ask, and whom, is `question.rs`'s.

use std::net::SocketAddr;
use std::time::Instant;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::limits::{MESSAGE_BYTES_MAX, MESSAGE_BYTES_MIN};

/// Names a query in flight. Never used twice by one resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub(crate) u64);

/// What carries a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram, from a socket of its own with a random source port (RFC 5452 section 9.2).
    Udp,
    /// A connection; each message behind its length in two octets (RFC 1035 section 4.2.2, RFC 7766
    /// section 8).
    Tcp,
}

/// A query to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// To be given back with the answer.
    pub query: QueryId,
    /// Where to. The socket is connected to it, so that the kernel drops what others send.
    pub server: SocketAddr,
    /// UDP from a new socket with a random source port, or a TCP connection.
    pub transport: Transport,
    /// The message, without the length that TCP puts in front (RFC 1035 section 4.2.2).
    pub message: Vec<u8>,
    /// When the answer no longer matters and the socket can be closed.
    pub deadline: Instant,
}

/// A query as it was sent.
#[derive(Debug)]
pub(crate) struct SentQuery {
    pub(crate) id: u16,
    /// In the very case that went out.
    pub(crate) name: Name,
    pub(crate) record_type: RecordType,
    pub(crate) edns: bool,
    pub(crate) transport: Transport,
    /// Answers must repeat the name in the same case.
    pub(crate) case_exact: bool,
}

/// How a message relates to a query.
pub(crate) enum Match<'message> {
    /// It is not its answer.
    No,
    /// It would be, but for the case of the name.
    CaseDiffers,
    /// It is. The decoder stands at the answer section.
    Yes(Header, BinDecoder<'message>),
}

impl SentQuery {
    /// The message, without the length that TCP puts in front.
    pub(crate) fn encode(&self, edns_payload_bytes: u16) -> Result<Vec<u8>, ProtoError> {
        let mut message = Message::new(self.id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(self.name.clone(), self.record_type));
        if self.edns {
            // RFC 6891 section 6.1.1
            let mut edns = Edns::new();
            edns.set_max_payload(edns_payload_bytes);
            message.set_edns(edns);
        }
        message.to_vec()
    }

    /// Holds `bytes` against the query: a response, the same id, the same question (RFC 5452
    /// section 9.1).
    pub(crate) fn match_message<'message>(&self, bytes: &'message [u8]) -> Match<'message> {
        if !(MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&bytes.len()) {
            return Match::No;
        }
        let mut decoder = BinDecoder::new(bytes);
        let Ok(header) = Header::read(&mut decoder) else {
            return Match::No;
        };
        let metadata = &header.metadata;
        let is_response =
            metadata.message_type == MessageType::Response && metadata.op_code == OpCode::Query;
        if metadata.id != self.id || !is_response {
            return Match::No;
        }
        match header.counts.queries {
            1 => match Query::read(&mut decoder) {
                Ok(question) => self.match_question(&question, header, decoder),
                Err(_) => Match::No,
            },
            // A server that cannot read EDNS(0) may not repeat the question either (RFC 6891
            // section 7). All that such a message brings about is the same query without EDNS(0).
            0 if self.edns && is_format_refusal(metadata.response_code) => {
                Match::Yes(header, decoder)
            }
            _ => Match::No,
        }
    }

    fn match_question<'m>(
        &self,
        question: &Query,
        header: Header,
        decoder: BinDecoder<'m>,
    ) -> Match<'m> {
        let same_kind =
            question.query_type == self.record_type && question.query_class == DNSClass::IN;
        if !same_kind || question.name != self.name {
            Match::No
        } else if self.case_exact && !question.name.eq_case(&self.name) {
            Match::CaseDiffers
        } else {
            Match::Yes(header, decoder)
        }
    }
}

/// What servers from before EDNS(0) answer to it (RFC 6891 section 7).
pub(crate) fn is_format_refusal(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::FormErr | ResponseCode::NotImp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent() -> SentQuery {
        let mut name = Name::from_labels(["wWw", "eXample", "com"].map(str::as_bytes)).unwrap();
        name.set_fqdn(true);
        SentQuery {
            id: 0x1234,
            name,
            record_type: RecordType::A,
            edns: true,
            transport: Transport::Udp,
            case_exact: true,
        }
    }

    /// The answer to [`sent`] as `change` leaves it.
    fn answer(change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let query = sent();
        let mut message = Message::new(query.id, MessageType::Response, OpCode::Query);
        message.add_query(Query::query(query.name, query.record_type));
        change(&mut message);
        message.to_vec().unwrap()
    }

    fn check(change: impl FnOnce(&mut Message), expect: &str) {
        let bytes = answer(change);
        let matched = match sent().match_message(&bytes) {
            Match::No => "no",
            Match::CaseDiffers => "case differs",
            Match::Yes(..) => "yes",
        };
        assert_eq!(matched, expect);
    }

    #[test]
    fn the_query_is_as_rfc_1035_and_rfc_6891_have_it() {
        let bytes = sent().encode(1232).unwrap();
        let mut expect = vec![0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1];
        expect.extend_from_slice(b"\x03wWw\x07eXample\x03com\0\0\x01\0\x01");
        expect.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes, expect);
        let plain = SentQuery {
            edns: false,
            ..sent()
        }
        .encode(1232)
        .unwrap();
        assert_eq!(plain.len(), bytes.len() - 11);
    }

    #[test]
    fn only_the_answer_to_the_question_matches() {
        check(|_| (), "yes");
        check(|m| m.metadata.id ^= 1, "no");
        check(|m| m.metadata.message_type = MessageType::Query, "no");
        check(|m| m.metadata.op_code = OpCode::Status, "no");
        check(|m| m.queries[0].query_type = RecordType::AAAA, "no");
        check(|m| m.queries[0].query_class = DNSClass::CH, "no");
        check(
            |m| m.queries[0].name = Name::from_ascii("www.example.net.").unwrap(),
            "no",
        );
        check(
            |m| m.queries[0].name = Name::from_ascii("www.example.com.").unwrap(),
            "case differs",
        );
        check(|m| m.queries.clear(), "no");
        check(|m| m.queries.push(m.queries[0].clone()), "no");
        let bytes = answer(|_| ());
        for cut in 0..bytes.len() {
            assert!(
                matches!(sent().match_message(&bytes[..cut]), Match::No),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_format_error_may_lack_the_question_if_edns_was_offered() {
        let bytes = answer(|m| {
            m.queries.clear();
            m.metadata.response_code = ResponseCode::FormErr;
        });
        assert!(matches!(sent().match_message(&bytes), Match::Yes(..)));
        assert!(matches!(
            SentQuery {
                edns: false,
                ..sent()
            }
            .match_message(&bytes),
            Match::No
        ));
    }

    #[test]
    fn case_counts_only_where_it_was_mixed() {
        let bytes = answer(|m| m.queries[0].name = Name::from_ascii("WWW.EXAMPLE.COM.").unwrap());
        assert!(matches!(
            SentQuery {
                case_exact: false,
                ..sent()
            }
            .match_message(&bytes),
            Match::Yes(..)
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = sent().match_message(&bytes);
            // The same behind a good id and flags, which gets further.
            if let Some(head) = bytes.get_mut(..6) {
                head.copy_from_slice(&[0x12, 0x34, 0x81, 0x80, 0, 1]);
                let matched = sent().match_message(&bytes);
                prop_assert!(!matches!(matched, Match::Yes(..)));
            }
        }
    }
}
