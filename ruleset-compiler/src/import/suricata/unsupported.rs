//! Why a rule of Suricata, or a part of one, is not carried over.

use super::super::condition::{TooManyAlternatives, ValueError};
use super::super::expression_error::ExpressionError;

/// The reason. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    /// `action … (options)`
    #[error("there are no options in parentheses")]
    NoOptions,
    /// The parenthesis is not closed.
    #[error("the options do not end with `)`")]
    OpenOptions,
    /// A rule ends with its options.
    #[error("something stands behind the options")]
    BehindOptions,
    /// What stands before the options is not seven words.
    #[error("it needs an action, a protocol, two addresses with ports, and a direction")]
    Head,
    /// Neither `->` nor `<>`.
    #[error("`{0}` is no direction")]
    Direction(String),
    /// Of an option: another one may have been swallowed.
    #[error("`{0}`: its quotes do not stand around all of its value")]
    Quotes(String),
    /// One of its options, or what is asked of a buffer.
    #[error("`{keyword}`: {why}")]
    Within {
        /// The option or the buffer.
        keyword: String,
        /// What is the matter with it.
        why: Box<Self>,
    },
    /// An option that has no like; why.
    #[error("{0}")]
    Keyword(&'static str),
    /// A buffer with a value.
    #[error("it stands without a value, before or behind its content")]
    WithoutValue,
    /// An option that is known has a value that is not.
    #[error("this form of it is not known here")]
    Form,
    /// A modifier of nothing.
    #[error("there is no content before it")]
    NoContent,
    /// A transformation elsewhere.
    #[error("it stands right behind a buffer")]
    NotBehindBuffer,
    /// Something is asked of nothing.
    #[error("there is no buffer before it")]
    NoBuffer,
    /// A buffer in the old style, for content that has one.
    #[error("it stands behind content that is in a buffer already")]
    InBufferAlready,
    /// A flag of `pcre` against a sticky buffer.
    #[error("it names a buffer while another one holds")]
    TwoBuffers,
    /// A word of `flow`.
    #[error("`{0}` is not known here")]
    Word(String),
    /// `flow` says both.
    #[error("its words contradict")]
    Contradiction,
    /// Another `dataset`.
    #[error(
        "only `isset` and `isnotset` of a list of strings in a file (`load FILE`) are carried over"
    )]
    DatasetForm,
    /// `absent` of a buffer with content.
    #[error("absent, and something is asked of it")]
    AbsentAndAsked,
    /// `absent:or_else` of a buffer without content.
    #[error("absent or else nothing")]
    AbsentOrNothing,
    /// A buffer that is named for nothing.
    #[error("nothing is asked of this buffer")]
    NothingAsked,
    /// A `dataset`.
    #[error("beside content in the old style it is not carried over")]
    BesideOldStyle,
    /// None, or more than any buffer has.
    #[error("`{0}` is not a number of bytes that is known here")]
    Number(String),
    /// A range of nothing.
    #[error("no length is `{0}`")]
    NoLength(String),
    /// What `urilen` is of.
    #[error("`{0}` is neither `norm` nor `raw`")]
    NormOrRaw(String),
    /// Fields of text are asked for text.
    #[error("its bytes are no text")]
    BytesNoText,
    /// Content of no bytes.
    #[error("it is empty")]
    Empty,
    /// `content` and `pcre` have one.
    #[error("its value is not a text in quotes")]
    NoQuotes,
    /// The value of `pcre`.
    #[error("it is not written `/expression/flags`")]
    NoSlashes,
    /// The flag `R`.
    #[error("it goes on where the last content ended")]
    Relative,
    /// Of `pcre`.
    #[error("the flag `{0}` is not known here")]
    PerlFlag(char),
    /// A class of characters there, one character here.
    #[error("`\\v` means something else here")]
    VerticalSpace,
    /// It ignores spaces in classes only there.
    #[error("the flag `x` is not carried over")]
    Extended,
    /// What the parser says.
    #[error("bad regular expression: {0}")]
    Syntax(String),
    /// In `content`.
    #[error("a `\\` escapes something that needs no escape")]
    Escape,
    /// Bytes in hex stand between two.
    #[error("a bar is missing")]
    Bar,
    /// Between bars.
    #[error("`{0}` is not bytes in hex")]
    Hex(String),
    /// Of `flowbits`.
    #[error("its names are not read")]
    BitNames,
    /// Of `flowbits`.
    #[error("only `set`, `isset`, `isnotset` and `noalert` are carried over")]
    BitCommand,
    /// It could not be asked for.
    #[error("`flowbits`: no rule of the file sets `{0}`")]
    BitNeverSet(String),
    /// A bit that does not follow from the request alone.
    #[error("`flowbits`: whether `{name}` is set cannot be told: {why}")]
    BitUnknown {
        /// The bit.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// Anything else that is asked of all of them.
    #[error("of all header lines only content such as `Name: value` is carried over")]
    HeaderForm,
    /// They are distances from nothing.
    #[error("`distance` and `within` need a content before them in the same buffer")]
    NothingBefore,
    /// An expression cannot say it.
    #[error(
        "what stands at a distance of negated content, or is negated itself, is not carried over"
    )]
    NegatedChain,
    /// Both are asked of one content.
    #[error("a place in the buffer and one behind other content contradict")]
    PlacesContradict,
    /// `depth` or `within`.
    #[error("there is less room for the content than it has bytes")]
    NoRoom,
    /// Both are asked of one content.
    #[error("`startswith` and another place in the buffer contradict")]
    StartsElsewhere,
    /// What it finds cannot be computed.
    #[error("the expression is too large")]
    TooLarge,
    /// Its dot would have to be known.
    #[error("an expression behind `dotprefix` is not carried over")]
    BehindDotprefix,
    /// Of a `dataset`.
    #[error("the bytes of the list are no text")]
    ListNoText,
    /// `content` without a buffer.
    #[error("it looks into the bytes of the connection; a proxy decides by names and heads")]
    Payload,
    /// It never matches.
    #[error("content with capitals in a buffer without any")]
    Capitals,
    /// `to_lowercase`.
    #[error("an expression over a buffer in small letters is not carried over")]
    LowercaseExpression,
    /// Other buffers are no names.
    #[error("`dotprefix` is carried over for `tls.sni` and `http.host` only")]
    Dotprefix,
    /// A `dataset` over a URI.
    #[error("a list of URIs is not carried over")]
    ListOfUris,
    /// A rule that lets pass asks for what was sent.
    #[error(
        "rules see the normal form of a URI, not what was sent: escapes decoded, dot segments removed"
    )]
    RawUri,
    /// The same of its length.
    #[error("the length is that of the normal form here, which may be another")]
    RawLength,
    /// Escapes would be words.
    #[error("bounds of words and lines in a URI are not carried over")]
    UriBounds,
    /// A URI has bytes.
    #[error("classes of letters beyond ASCII are not carried over")]
    UriClass,
    /// A rule over DNS.
    #[error("names are resolved by the proxy itself; deny them by `request:DestinationDomain`")]
    Dns,
    /// A protocol that is to pass.
    #[error(
        "a proxy does not tell `{0}` from other protocols: `tunnel.unknown_protocol` lets none of them pass unless it is told to"
    )]
    NotTold(String),
    /// Of a rule or of `app-layer-protocol`.
    #[error("the protocol `{0}` is not known here")]
    Protocol(String),
    /// Perhaps without end.
    #[error("lists or variables are nested more than {0} deep")]
    Nesting(usize),
    /// `@SET` of AWS Network Firewall.
    #[error(
        "`{text}` is a reference to a set that is not in the file; give it with `--var {name}=…`"
    )]
    Reference {
        /// As it is written.
        text: String,
        /// Of the variable that would give it.
        name: String,
    },
    /// `$NAME`
    #[error("the variable `${0}` is not defined; give it with `--var {0}=…`")]
    Variable(String),
    /// `flow:to_client` of more than addresses.
    #[error("it is about what the server sends; a proxy decides on the request")]
    OfServer,
    /// Flags other than those of a first packet.
    #[error("`flags`: single packets are not seen by a proxy")]
    Packets,
    /// `detection_filter` of a rule that lets pass.
    #[error("it lets pass at a rate; rates are not counted")]
    Rate,
    /// The file of a list.
    #[error("`dataset`: cannot read `{path}`: {why}")]
    Unread {
        /// The file.
        path: String,
        /// What reading it came to.
        why: String,
    },
    /// A line of such a file.
    #[error("`dataset`: `{line}` in `{path}` is not base64")]
    Base64 {
        /// The line.
        line: String,
        /// The file.
        path: String,
    },
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// An expression without a like.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// What was remembered makes it too wide.
    #[error(transparent)]
    Alternatives(#[from] TooManyAlternatives),
}

impl Unsupported {
    /// The same, of an option or a buffer.
    pub(super) fn within(self, keyword: &str) -> Self {
        Self::Within {
            keyword: keyword.to_owned(),
            why: Box::new(self),
        }
    }
}
