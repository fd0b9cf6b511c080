//! Bodies: the chunked decoder against tables and a naive model, and the
//! reader over all framings.
#![cfg(test)]

use proptest::prelude::*;
use sallyport_wire::http1::{
    BodyError, BodyEvent, BodyFraming, BodyReader, ChunkError, ChunkEvent, ChunkLimits,
    ChunkedDecoder, write_chunk_header, write_last_chunk,
};

/// Data, trailers and what follows the body.
type Decoded = Result<Option<(Vec<u8>, Vec<u8>, Vec<u8>)>, ChunkError>;

/// Feeds the input in pieces that end at `ends`, and at its end.
fn decode(input: &[u8], ends: &[usize], limits: &ChunkLimits) -> Decoded {
    let mut decoder = ChunkedDecoder::new(limits);
    let mut data = Vec::new();
    let mut at = 0;
    for end in ends.iter().copied().chain([input.len()]) {
        while at < end {
            let (consumed, event) = decoder.decode(&input[at..end])?;
            match event {
                ChunkEvent::NeedMore => assert_eq!(at + consumed, end),
                ChunkEvent::Data { start, len } => {
                    assert!(len > 0 && start + len == consumed);
                    data.extend_from_slice(&input[at + start..at + consumed]);
                }
                ChunkEvent::End => {
                    let rest = input[at + consumed..].to_vec();
                    assert!(decoder.is_complete());
                    assert_eq!(decoder.decode(&rest), Ok((0, ChunkEvent::End)));
                    return Ok(Some((data, decoder.trailers().to_vec(), rest)));
                }
            }
            at += consumed;
        }
    }
    assert!(!decoder.is_complete());
    Ok(None)
}

fn check(input: &str, expected: Decoded) {
    let limits = ChunkLimits {
        extension_bytes_max: 20,
        trailer_bytes_max: 40,
        ..ChunkLimits::default()
    };
    let every_byte: Vec<_> = (1..input.len()).collect();
    assert_eq!(
        decode(input.as_bytes(), &[], &limits),
        expected,
        "{input:?}"
    );
    assert_eq!(
        decode(input.as_bytes(), &every_byte, &limits),
        expected,
        "{input:?} byte by byte"
    );
}

#[test]
fn chunked_bodies_of_all_shapes() {
    for (input, data, trailers, rest) in [
        ("0\r\n\r\n", "", "", ""),
        ("000\r\n\r\nGET /", "", "", "GET /"),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", "", ""),
        (
            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
            "hello world",
            "",
            "",
        ),
        (
            "A\r\n0123456789\r\n00\r\n\r\n\r\n",
            "0123456789",
            "",
            "\r\n",
        ),
        (
            "000000000000000a\r\n0123456789\r\n0\r\n\r\n",
            "0123456789",
            "",
            "",
        ),
        ("2;a=b;c=\"d\"\r\nhi\r\n0;x\r\n\r\n", "hi", "", ""),
        ("2 \t;a\r\nhi\r\n0\r\n\r\n", "hi", "", ""),
        ("0\r\nX-Sum: 1\r\nY:\r\n\r\n", "", "X-Sum: 1\r\nY:\r\n", ""),
        (
            "0\r\nContent-Length: 9\r\nX: 1\r\nhost: a\r\n\r\n",
            "",
            "X: 1\r\n",
            "",
        ),
    ] {
        let expected = (data.into(), trailers.into(), rest.into());
        check(input, Ok(Some(expected)));
    }
    for input in [
        "",
        "5",
        "5\r",
        "5\r\n",
        "5\r\nhell",
        "5\r\nhello\r\n",
        "0\r\n",
        "0\r\nX: 1\r\n",
    ] {
        check(input, Ok(None));
    }
}

#[test]
fn chunked_bodies_that_are_refused() {
    for (input, error) in [
        ("\r\n", ChunkError::Size),
        (" 5\r\nhello", ChunkError::Size),
        ("+5\r\nhello", ChunkError::Size),
        ("-1\r\n", ChunkError::Size),
        ("0x5\r\nhello", ChunkError::Size),
        ("5h\r\nhello", ChunkError::Size),
        ("5_0\r\nhello", ChunkError::Size),
        ("5 \r\nhello", ChunkError::Size),
        ("5 5\r\nhello", ChunkError::Size),
        ("5\n", ChunkError::Size),
        (";a\r\n", ChunkError::Size),
        ("8000000000000000\r\n", ChunkError::Size),
        ("ffffffffffffffff\r\n", ChunkError::Size),
        ("10000000000000000\r\n", ChunkError::Size),
        ("00000000000000005\r\nhello", ChunkError::Size),
        ("5\rhello", ChunkError::LineEnd),
        ("5\r\nhelloX", ChunkError::LineEnd),
        ("5\r\nhello\n", ChunkError::LineEnd),
        ("5\r\nhello\rX", ChunkError::LineEnd),
        ("5;a\nhello", ChunkError::Extension),
        ("5;a\0\r\n", ChunkError::Extension),
        ("5;a\rX", ChunkError::LineEnd),
        (
            "5;aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
            ChunkError::ExtensionTooLarge,
        ),
        ("0\r\n\n", ChunkError::LineEnd),
        ("0\r\nX: 1\n\r\n", ChunkError::LineEnd),
        ("0\r\nX: 1\r\n 2\r\n", ChunkError::Trailer),
        ("0\r\nX : 1\r\n", ChunkError::Trailer),
        ("0\r\nGET / HTTP/1.1\r\n", ChunkError::Trailer),
        ("0\r\n: 1\r\n", ChunkError::Trailer),
        ("0\r\nX: a\rb\r\n", ChunkError::Trailer),
        ("0\r\nX: \0\r\n", ChunkError::Trailer),
        (
            "0\r\nX: 3456789012345678901234567890123456789\r\n",
            ChunkError::TrailersTooLarge,
        ),
        (
            "0\r\nHost: 345678901234567\r\nHost: 345678901234567\r\n",
            ChunkError::TrailersTooLarge,
        ),
    ] {
        check(input, Err(error));
    }
}

#[test]
fn extensions_of_a_chunk_are_bounded() {
    // 20 bytes, and once more in another chunk: each has its own.
    let at = format!(
        "1;{0}\r\na\r\n1 ;{1}\r\nb\r\n0\r\n\r\n",
        "x".repeat(19),
        "x".repeat(18)
    );
    check(&at, Ok(Some((b"ab".into(), b"".into(), b"".into()))));
    for past in [
        format!("1;{}\r\na", "x".repeat(20)),
        format!("1  ;{}\r\na", "x".repeat(18)),
    ] {
        check(&past, Err(ChunkError::ExtensionTooLarge));
    }
    let none = ChunkLimits {
        extension_bytes_max: 0,
        ..ChunkLimits::default()
    };
    let decoded = |input: &[u8]| decode(input, &[], &none);
    assert!(decoded(b"1\r\na\r\n0\r\n\r\n").is_ok());
    assert_eq!(decoded(b"1;\r\na"), Err(ChunkError::ExtensionTooLarge));
    // A body of nothing but extensions, each within its bound.
    let chunk = format!("1;{}\r\na\r\n", "x".repeat(255));
    let limits = ChunkLimits {
        extension_bytes_max: 256,
        ..ChunkLimits::default()
    };
    let body = |chunks| format!("{}0\r\n\r\n", chunk.repeat(chunks));
    assert!(decode(body(64).as_bytes(), &[], &limits).is_ok());
    assert_eq!(
        decode(body(65).as_bytes(), &[], &limits),
        Err(ChunkError::ExtensionTooLarge)
    );
}

#[test]
fn trailers_are_bounded_without_the_line_that_ends_them() {
    // 40 bytes with their line ends.
    let line = format!("X: {}\r\n", "1".repeat(15));
    let at = format!("0\r\n{line}{line}\r\n");
    check(
        &at,
        Ok(Some((b"".into(), line.repeat(2).into(), b"".into()))),
    );
    let past = format!("0\r\n{line}X: {}\r\n\r\n", "1".repeat(16));
    check(&past, Err(ChunkError::TrailersTooLarge));
    let none = ChunkLimits {
        trailer_bytes_max: 0,
        ..ChunkLimits::default()
    };
    for cuts in [&[][..], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10][..]] {
        let plain = decode(b"1\r\na\r\n0\r\n\r\nX", cuts, &none);
        assert_eq!(plain, Ok(Some((b"a".into(), b"".into(), b"X".into()))));
        let trailer = decode(b"0\r\nX: 1\r\n\r\n", cuts, &none);
        assert_eq!(trailer, Err(ChunkError::TrailersTooLarge));
    }
}

/// Blanks that many servers send behind a size, for responses only.
#[test]
fn blanks_are_dropped_where_they_are_tolerated() {
    let limits = ChunkLimits {
        tolerates_blanks: true,
        ..ChunkLimits::default()
    };
    let decode = |input: &str| {
        let mut reader = BodyReader::new(BodyFraming::Chunked, &limits);
        let mut out = Vec::new();
        let ended = reader.recode_chunked(input.as_bytes(), &mut out);
        ended.map(|recoded| (recoded.ended, String::from_utf8(out).unwrap()))
    };
    // Padding is no extension: many chunks may have it.
    let many = "1     \r\na\r\n".repeat(10_000);
    assert!(decode(&many).is_ok());
    let plain = "5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n";
    for input in [
        "5 \r\nhello\r\n0 \t\r\nX-A: 1\r\n\r\n",
        "5 ;a=b\r\nhello\r\n0\r\nX-A \t: 1\r\n\r\n",
    ] {
        let (ended, out) = decode(input).unwrap();
        assert!(ended);
        assert_eq!(
            out.trim_start_matches('0'),
            plain.trim_start_matches('0'),
            "{input:?}"
        );
    }
    for input in [
        " 5\r\n",
        "5 5\r\n",
        "5 \n",
        "5 \rX",
        "0\r\n : 1\r\n",
        "0\r\nX\u{b}: 1\r\n",
    ] {
        assert!(decode(input).is_err(), "{input:?}");
    }
}

/// The largest size that is accepted cannot be sent, but it can be announced.
#[test]
fn sizes_reach_to_the_largest_signed_number() {
    let mut decoder = ChunkedDecoder::new(&ChunkLimits::default());
    let input = b"7fffffffffffffff\r\nab";
    assert_eq!(
        decoder.decode(input),
        Ok((20, ChunkEvent::Data { start: 18, len: 2 }))
    );
    assert_eq!(
        decoder.decode(b"c"),
        Ok((1, ChunkEvent::Data { start: 0, len: 1 }))
    );
}

#[test]
fn a_reader_of_each_framing() {
    let limits = ChunkLimits::default();
    let mut reader = BodyReader::new(BodyFraming::None, &limits);
    assert!(reader.is_complete());
    assert_eq!(reader.next(b"GET /"), Ok((0, BodyEvent::End)));
    assert_eq!(reader.at_eof(), Ok(()));

    let mut reader = BodyReader::new(BodyFraming::Length(5), &limits);
    assert_eq!(reader.next(b""), Ok((0, BodyEvent::NeedMore)));
    assert_eq!(
        reader.next(b"hel"),
        Ok((3, BodyEvent::Data { start: 0, len: 3 }))
    );
    assert_eq!(reader.at_eof(), Err(BodyError::Truncated));
    assert_eq!(
        reader.next(b"loGET"),
        Ok((2, BodyEvent::Data { start: 0, len: 2 }))
    );
    assert!(reader.is_complete());
    assert_eq!(reader.next(b"GET"), Ok((0, BodyEvent::End)));
    assert_eq!(reader.at_eof(), Ok(()));

    let mut reader = BodyReader::new(BodyFraming::UntilClose, &limits);
    assert_eq!(
        reader.next(b"0\r\n\r\n"),
        Ok((5, BodyEvent::Data { start: 0, len: 5 }))
    );
    assert!(!reader.is_complete());
    assert_eq!(reader.at_eof(), Ok(()));
    assert!(reader.is_complete());
    assert_eq!(reader.next(b"x"), Ok((0, BodyEvent::End)));

    let mut reader = BodyReader::new(BodyFraming::Chunked, &limits);
    assert_eq!(
        reader.next(b"3\r\nabc"),
        Ok((6, BodyEvent::Data { start: 3, len: 3 }))
    );
    assert_eq!(reader.at_eof(), Err(BodyError::Truncated));
    assert_eq!(
        reader.next(b"\r\n0\r\nX: 1\r\n\r\nGET"),
        Ok((13, BodyEvent::End))
    );
    assert_eq!(reader.trailers(), b"X: 1\r\n");
    assert_eq!(reader.at_eof(), Ok(()));
    assert_eq!(reader.trailers(), b"X: 1\r\n");
    assert_eq!(
        BodyReader::new(BodyFraming::Chunked, &limits).next(b"x"),
        Err(BodyError::Chunk(ChunkError::Size))
    );
}

#[test]
fn chunk_headers_are_plain_hexadecimal() {
    for (len, expected) in [
        (0, ""),
        (1, "1\r\n"),
        (15, "f\r\n"),
        (16, "10\r\n"),
        (0xabc, "abc\r\n"),
        (usize::MAX, "ffffffffffffffff\r\n"),
    ] {
        let mut out = Vec::new();
        write_chunk_header(&mut out, len);
        assert_eq!(out, expected.as_bytes());
    }
}

#[test]
fn chunks_of_one_read_leave_as_one() {
    let limits = ChunkLimits::default();
    let mut out = b"head".to_vec();
    let mut reader = BodyReader::new(BodyFraming::Chunked, &limits);
    let done = reader
        .recode_chunked(b"1\r\na\r\n1;x\r\nb\r\n2\r\nc", &mut out)
        .expect("chunks");
    assert_eq!((done.consumed, done.ended), (18, false));
    assert_eq!(out, b"head03\r\nabc\r\n");
    let done = reader
        .recode_chunked(b"d\r\n0\r\nX: 1\r\n\r\nrest", &mut out)
        .expect("chunks");
    assert_eq!((done.consumed, done.ended), (14, true));
    assert_eq!(out, b"head03\r\nabc\r\n01\r\nd\r\n0\r\nX: 1\r\n\r\n");
    let before = out.len();
    let done = reader.recode_chunked(b"rest", &mut out).expect("nothing");
    assert_eq!((done.consumed, done.ended, out.len()), (0, true, before));

    let mut out = Vec::new();
    let mut reader = BodyReader::new(BodyFraming::Chunked, &limits);
    assert!(reader.recode_chunked(b"1\r\na\r\nx", &mut out).is_err());
    assert_eq!(out, b"1\r\na\r\n", "what was valid is a whole chunk");
}

/// The obvious decoder, for what the encoder below writes.
fn model(mut body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    loop {
        let end = body
            .windows(2)
            .position(|pair| pair == b"\r\n")
            .expect("a size line");
        let line = std::str::from_utf8(&body[..end]).expect("text");
        let size = line.split(';').next().expect("a size");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        if size == 0 {
            return data;
        }
        data.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_however_it_is_cut(
        chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), 0..3u8), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        trailers in prop::collection::vec("[a-z]{1,8}-x: [ -~]{0,12}\r\n", 0..3),
        rest in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let mut body = Vec::new();
        for (data, extensions) in &chunks {
            write_chunk_header(&mut body, data.len());
            body.truncate(body.len() - 2);
            for _ in 0..*extensions {
                body.extend_from_slice(b";n=v");
            }
            body.extend_from_slice(b"\r\n");
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n");
        }
        let trailers = trailers.concat();
        write_last_chunk(&mut body, trailers.as_bytes());
        let data: Vec<u8> = chunks.into_iter().flat_map(|(data, _)| data).collect();
        prop_assert_eq!(&model(&body), &data);

        let body_bytes = body.len();
        body.extend_from_slice(&rest);
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(body.len())).collect();
        ends.sort_unstable();
        let expected = (data.clone(), trailers.clone().into_bytes(), rest);
        prop_assert_eq!(decode(&body, &ends, &ChunkLimits::default()), Ok(Some(expected)));

        // The same through `recode_chunked`: other chunks, the same content.
        let mut reader = BodyReader::new(BodyFraming::Chunked, &ChunkLimits::default());
        let mut recoded = Vec::new();
        let mut at = 0;
        ends.push(body.len());
        for end in ends {
            at += reader.recode_chunked(&body[at.min(end)..end], &mut recoded).expect("valid").consumed;
        }
        prop_assert!(reader.is_complete());
        prop_assert_eq!(at, body_bytes);
        prop_assert_eq!(&model(&recoded), &data);
        let end = format!("0\r\n{trailers}\r\n");
        prop_assert!(recoded.ends_with(end.as_bytes()));
    }

    #[test]
    fn cuts_never_change_what_is_made_of_noise(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "0", "1", "5", "a", "\r\n", "\r", "\n", ";", " ", "x", "X: y", ":", "\0", "ffff",
            ]),
            0..24,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input = pieces.concat().into_bytes();
        let limits = ChunkLimits { extension_bytes_max: 6, trailer_bytes_max: 12, ..ChunkLimits::default() };
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(input.len().max(1))).collect();
        ends.sort_unstable();
        prop_assert_eq!(decode(&input, &ends, &limits), decode(&input, &[], &limits));
    }
}

/// Trailers that a stream of HTTP/2 has beside its content meet the rules of those in a last chunk.
#[test]
fn trailers_beside_the_content() {
    let limits = ChunkLimits {
        trailer_bytes_max: 12,
        ..ChunkLimits::default()
    };
    let end = |trailers: &[u8]| {
        let mut reader = BodyReader::new(BodyFraming::UntilClose, &limits);
        let ended = reader.at_eof_with(trailers, &limits);
        ended.map(|()| (reader.is_complete(), reader.trailers().to_vec()))
    };
    assert_eq!(end(b""), Ok((true, vec![])));
    assert_eq!(end(b"x: 1\r\n"), Ok((true, b"x: 1\r\n".to_vec())));
    assert_eq!(
        end(b"x: 123456\r\nt"),
        Err(ChunkError::TrailersTooLarge.into())
    );
    assert_eq!(
        end(b"x: 1234567\r\n"),
        Ok((true, b"x: 1234567\r\n".to_vec()))
    );
    assert_eq!(
        end(b"x: 12345678\r\n"),
        Err(ChunkError::TrailersTooLarge.into())
    );
    // An empty line would end the section before its last line.
    for broken in [&b"x y: 1\r\n"[..], b"x: 1\n", b"\r\nx: 1\r\n"] {
        assert!(end(broken).is_err(), "{}", broken.escape_ascii());
    }
    // RFC 9110 section 6.5.1.
    assert_eq!(end(b"host: a\r\n"), Ok((true, vec![])));
    let mut reader = BodyReader::new(BodyFraming::Length(1), &limits);
    assert_eq!(
        reader.at_eof_with(b"x: 1\r\n", &limits),
        Err(BodyError::Truncated)
    );
}
