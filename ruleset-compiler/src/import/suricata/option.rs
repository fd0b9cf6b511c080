//! The options of a rule. Each is taken by just one meaning in the exact form that is known here;
//! one that nothing takes makes the rule leave.

use super::ask::{Absent, BufferUse};
use super::buffer::{self, Buffer, Named};
use super::chain::{Content, Test};
use super::flowbit::{self, BitTest};
use super::number::{UriLength, number, range};
use super::parse::quoted;
use super::text;
use super::unsupported::Unsupported;

/// What the options of a rule say.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// `msg`
    pub(super) message: String,
    /// `sid`
    pub(super) sid: String,
    pub(super) flow: Flow,
    /// `flags:S`: it meets the first packet of a connection.
    pub(super) of_first_packet: bool,
    /// Other flags: packets such as resets, which are no business of a proxy.
    pub(super) of_packets: bool,
    /// `noalert`
    pub(super) is_silent: bool,
    /// `alert`: a rule that lets pass tells it.
    pub(super) tells: bool,
    /// Names of flowbits that it sets.
    pub(super) sets: Vec<String>,
    pub(super) bits: Vec<BitTest>,
    /// What is asked of buffers, in order.
    pub(super) uses: Vec<BufferUse>,
    /// `ssl_state:client_hello`
    pub(super) is_client_hello: bool,
    /// `app-layer-protocol`: negated, and the name.
    pub(super) applications: Vec<(bool, String)>,
    /// `urilen`
    pub(super) uri_lengths: Vec<UriLength>,
    /// `ip_proto` asks for something that TCP is not.
    pub(super) is_other_transport: bool,
    /// `threshold`, `detection_filter`: whether the action waits for it.
    pub(super) rate: Option<Rate>,
    /// Lists that are still to be read from their files.
    pub(super) datasets: Vec<Dataset>,
}

/// `flow`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) to_server: bool,
    pub(super) to_client: bool,
    pub(super) established: bool,
    pub(super) not_established: bool,
}

/// What a rate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    /// Fewer alerts.
    Tells,
    /// The action only comes once the rate is reached.
    Acts,
}

/// A list that a buffer's text is on, or not.
#[derive(Clone, Debug)]
pub(super) struct Dataset {
    /// The position in [`Options::uses`].
    pub(super) used: usize,
    pub(super) path: String,
    pub(super) negated: bool,
}

impl Options {
    /// It looks at a name or a request, not just at addresses and ports.
    pub(super) fn looks_inside(&self) -> bool {
        self.is_client_hello
            || !self.uses.is_empty()
            || !self.applications.is_empty()
            || !self.uri_lengths.is_empty()
    }
}

/// Reads the options in their order: a buffer holds for what follows it.
///
/// # Errors
/// The option that cannot be carried over, and why.
pub(super) fn read(options: &[(String, Option<String>)]) -> Result<Options, Unsupported> {
    let mut reader = Reader {
        options: Options::default(),
        current: None,
        last: None,
    };
    for (name, value) in options {
        let taken = match value.as_deref() {
            None => reader.bare(name),
            Some(value) => reader.valued(name, value.trim()),
        };
        taken.map_err(|why| why.within(name))?;
    }
    reader.finish()
}

struct Reader {
    options: Options,
    /// The position in [`Options::uses`] of the sticky buffer that holds.
    current: Option<usize>,
    /// The content that modifiers are about: its buffer's position, and its own there.
    last: Option<(usize, usize)>,
}

type Taken = Result<(), Unsupported>;

impl Reader {
    /// An option without a value.
    fn bare(&mut self, name: &str) -> Taken {
        match name {
            "noalert" => self.options.is_silent = true,
            "alert" => self.options.tells = true,
            "nocase" => self.content()?.nocase = true,
            "startswith" => self.content()?.starts = true,
            "endswith" => self.content()?.ends = true,
            // Which content is looked for first changes nothing about what matches.
            "fast_pattern" => {
                self.content()?;
            }
            "prefilter" => {}
            "dotprefix" => self.transform()?.dotprefix = true,
            "to_lowercase" => self.transform()?.lowercase = true,
            "absent" => self.absent(Absent::Only)?,
            _ => match buffer::named(name) {
                Some(named) if named.is_modifier => self.modify(named)?,
                Some(named) => self.enter(name, named),
                None => return Err(Unsupported::Keyword(buffer::missing(name))),
            },
        }
        Ok(())
    }

    /// An option with a value.
    fn valued(&mut self, name: &str, value: &str) -> Taken {
        match name {
            "msg" => {
                let text = quoted(value).unwrap_or(value);
                self.options.message = text.replace("\\\"", "\"").replace("\\;", ";");
            }
            "sid" => value.clone_into(&mut self.options.sid),
            "rev" | "gid" | "classtype" | "reference" | "metadata" | "priority" | "target" => {}
            "fast_pattern" => {
                self.content()?;
            }
            "ssl_state" if value == "client_hello" => self.options.is_client_hello = true,
            "threshold" => self.threshold(value)?,
            "detection_filter" => self.options.rate = Some(Rate::Acts),
            "flow" => self.flow(value)?,
            "flags" => self.flags(value),
            "flowbits" => self.flowbits(value)?,
            "app-layer-protocol" => self.application(value)?,
            "ip_proto" => self.transport(value)?,
            "content" => {
                let (negated, bytes) = text::content(value)?;
                let content = Content {
                    bytes,
                    negated,
                    ..Content::default()
                };
                let at = self.used();
                self.push(at, Test::Content(content));
            }
            "pcre" => self.pcre(value)?,
            "offset" => self.content()?.offset = Some(number(value)?),
            "depth" => self.content()?.depth = Some(number(value)?),
            "distance" => self.content()?.distance = Some(number(value)?),
            "within" => self.content()?.within = Some(number(value)?),
            "isdataat" => self.data_at(value)?,
            "bsize" => self.size(value)?,
            "urilen" => self.options.uri_lengths.push(UriLength::read(value)?),
            "dataset" => self.dataset(value)?,
            "absent" if value == "or_else" => self.absent(Absent::OrElse)?,
            _ if buffer::named(name).is_some() => {
                return Err(Unsupported::WithoutValue);
            }
            _ => return Err(Unsupported::Keyword(buffer::missing(name))),
        }
        Ok(())
    }

    /// The buffer that holds; without a sticky one it is the bytes of the connection.
    fn used(&mut self) -> usize {
        if let Some(at) = self.current {
            return at;
        }
        let at = self.open("content", Buffer::Payload, false);
        self.current = Some(at);
        at
    }

    fn open(&mut self, keyword: &str, buffer: Buffer, of_answers: bool) -> usize {
        self.options.uses.push(BufferUse {
            buffer,
            keyword: keyword.to_owned(),
            dotprefix: false,
            lowercase: false,
            absent: None,
            tests: Vec::new(),
            of_answers,
        });
        self.options.uses.len() - 1
    }

    /// Adds a test to a buffer; content is what modifiers behind it are about.
    fn push(&mut self, at: usize, test: Test) {
        let is_content = matches!(test, Test::Content(_));
        let Some(used) = self.options.uses.get_mut(at) else {
            return;
        };
        used.tests.push(test);
        self.last = is_content.then(|| (at, used.tests.len() - 1));
    }

    /// The content that a modifier is about.
    fn content(&mut self) -> Result<&mut Content, Unsupported> {
        let (used, test) = self.last.ok_or(Unsupported::NoContent)?;
        let used = self
            .options
            .uses
            .get_mut(used)
            .ok_or(Unsupported::NoContent)?;
        match used.tests.get_mut(test) {
            Some(Test::Content(content)) => Ok(content),
            _ => Err(Unsupported::NoContent),
        }
    }

    /// A sticky buffer holds for what follows it.
    fn enter(&mut self, keyword: &str, named: Named) {
        self.last = None;
        let at = self.open(keyword, named.buffer, named.of_answers);
        self.current = Some(at);
    }

    /// A transformation stands right behind its buffer.
    fn transform(&mut self) -> Result<&mut BufferUse, Unsupported> {
        let at = self.current.ok_or(Unsupported::NotBehindBuffer)?;
        let used = self
            .options
            .uses
            .get_mut(at)
            .ok_or(Unsupported::NotBehindBuffer)?;
        if !used.tests.is_empty() || used.buffer == Buffer::Payload || used.dotprefix {
            return Err(Unsupported::NotBehindBuffer);
        }
        Ok(used)
    }

    /// In the old style the buffer stands behind its content.
    fn modify(&mut self, named: Named) -> Taken {
        let (at, test) = self.last.ok_or(Unsupported::NoContent)?;
        let used = self
            .options
            .uses
            .get_mut(at)
            .ok_or(Unsupported::NoContent)?;
        if used.buffer != Buffer::Payload || test + 1 != used.tests.len() {
            return Err(Unsupported::InBufferAlready);
        }
        let test = used.tests.pop().ok_or(Unsupported::NoContent)?;
        let to = self.in_old_style(named);
        self.push(to, test);
        Ok(())
    }

    /// Contents with the same modifier are in one buffer.
    fn in_old_style(&mut self, named: Named) -> usize {
        let same = |used: &BufferUse| used.buffer == named.buffer && used.keyword.is_empty();
        match self.options.uses.iter().position(same) {
            Some(at) => at,
            None => self.open("", named.buffer, named.of_answers),
        }
    }

    fn pcre(&mut self, value: &str) -> Taken {
        let perl = text::perl(value)?;
        let test = Test::Expression {
            expression: perl.expression,
            negated: perl.negated,
        };
        let is_sticky = self.current.is_some_and(|at| {
            let used = self.options.uses.get(at);
            used.is_some_and(|used| used.buffer != Buffer::Payload)
        });
        let at = match perl.buffer {
            Some(_) if is_sticky => {
                return Err(Unsupported::TwoBuffers);
            }
            Some(named) => self.in_old_style(named),
            None => self.used(),
        };
        self.push(at, test);
        Ok(())
    }

    fn absent(&mut self, absent: Absent) -> Taken {
        let at = self.current.ok_or(Unsupported::NoBuffer)?;
        let used = self.options.uses.get_mut(at);
        let used = used.filter(|used| used.absent.is_none() && used.tests.is_empty());
        let used = used.ok_or(Unsupported::NotBehindBuffer)?;
        used.absent = Some(absent);
        Ok(())
    }

    fn size(&mut self, value: &str) -> Taken {
        let at = self.sticky()?;
        let test = match value.strip_prefix('!') {
            Some(other) => Test::NotSize(number(other.trim())?),
            None => {
                let (least, most) = range(value)?;
                Test::Size { least, most }
            }
        };
        self.push(at, test);
        Ok(())
    }

    fn sticky(&self) -> Result<usize, Unsupported> {
        let used = self
            .current
            .and_then(|at| Some((at, self.options.uses.get(at)?)));
        let used = used.filter(|(_, used)| used.buffer != Buffer::Payload);
        let (at, _) = used.ok_or(Unsupported::NoBuffer)?;
        Ok(at)
    }

    /// Only about what stands behind the last content.
    fn data_at(&mut self, value: &str) -> Taken {
        let parts: Vec<&str> = value.split(',').map(str::trim).collect();
        match parts.as_slice() {
            // Nothing follows the content: the old way to say `endswith`.
            ["!1", "relative"] => self.content()?.ends = true,
            [count, "relative"] if !count.starts_with('!') => {
                let count = number(count)?;
                self.content()?.followed_by = count;
            }
            _ => return Err(Unsupported::Form),
        }
        Ok(())
    }

    fn flow(&mut self, words: &str) -> Taken {
        let flow = &mut self.options.flow;
        for word in words.split(',').map(str::trim) {
            match word {
                "established" => flow.established = true,
                "not_established" => flow.not_established = true,
                "to_server" | "from_client" => flow.to_server = true,
                "to_client" | "from_server" => flow.to_client = true,
                "stateless" | "only_stream" | "no_stream" => {}
                _ => return Err(Unsupported::Word(word.to_owned())),
            }
        }
        if (flow.established && flow.not_established) || (flow.to_server && flow.to_client) {
            return Err(Unsupported::Contradiction);
        }
        Ok(())
    }

    /// A first packet has just SYN; that of ECN is looked past.
    fn flags(&mut self, value: &str) {
        let value = value.replace(' ', "");
        let flags = value.split(',').next().unwrap_or("");
        match flags {
            "S" => self.options.of_first_packet = true,
            _ => self.options.of_packets = true,
        }
    }

    fn flowbits(&mut self, value: &str) -> Taken {
        match flowbit::read(value)? {
            flowbit::Word::NoAlert => self.options.is_silent = true,
            flowbit::Word::Set(name) => self.options.sets.push(name),
            flowbit::Word::Test(test) => self.options.bits.push(test),
        }
        Ok(())
    }

    fn application(&mut self, value: &str) -> Taken {
        let (negated, name) = value
            .strip_prefix('!')
            .map_or((false, value), |name| (true, name));
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(Unsupported::Form);
        }
        self.options
            .applications
            .push((negated, name.to_ascii_lowercase()));
        Ok(())
    }

    fn transport(&mut self, value: &str) -> Taken {
        let (negated, name) = value
            .strip_prefix('!')
            .map_or((false, value), |name| (true, name.trim()));
        let is_tcp = match name.to_ascii_lowercase().as_str() {
            "tcp" | "6" => true,
            "udp" | "icmp" | "icmpv6" | "ipv6-icmp" | "sctp" | "gre" | "esp" | "ah" | "igmp" => {
                false
            }
            other if other.parse::<u8>().is_ok() => false,
            _ => return Err(Unsupported::Form),
        };
        self.options.is_other_transport |= is_tcp == negated;
        Ok(())
    }

    fn threshold(&mut self, value: &str) -> Taken {
        let words = value.split(',').map(str::trim);
        let mut kinds = words.filter_map(|word| word.strip_prefix("type "));
        self.options.rate = Some(match kinds.next().map(str::trim) {
            Some("limit") => Rate::Tells,
            Some("threshold" | "both" | "backoff") => Rate::Acts,
            _ => return Err(Unsupported::Form),
        });
        Ok(())
    }

    /// `isset,NAME,type string,load FILE`
    fn dataset(&mut self, value: &str) -> Taken {
        let used = self.sticky()?;
        let words: Vec<&str> = value.split(',').map(str::trim).collect();
        let [command, _, settings @ ..] = words.as_slice() else {
            return Err(Unsupported::DatasetForm);
        };
        let negated = match *command {
            "isset" => false,
            "isnotset" => true,
            _ => return Err(Unsupported::DatasetForm),
        };
        let mut path = None;
        for setting in settings {
            match setting.split_once(' ') {
                Some(("type", kind)) if kind.trim() == "string" => {}
                Some(("load", file)) => path = Some(file.trim().to_owned()),
                Some(("memcap" | "hashsize", _)) => {}
                _ => return Err(Unsupported::DatasetForm),
            }
        }
        let path = path.ok_or(Unsupported::DatasetForm)?;
        self.last = None;
        self.options.datasets.push(Dataset {
            used,
            path,
            negated,
        });
        Ok(())
    }

    /// Each buffer that is named is asked something.
    fn finish(self) -> Result<Options, Unsupported> {
        let mut options = self.options;
        for (at, used) in options.uses.iter().enumerate() {
            let is_listed = options.datasets.iter().any(|dataset| dataset.used == at);
            let is_asked = !used.tests.is_empty() || is_listed || used.absent.is_some();
            if used.absent == Some(Absent::Only) && (!used.tests.is_empty() || is_listed) {
                return Err(Unsupported::AbsentAndAsked.within(&used.keyword));
            }
            if used.absent == Some(Absent::OrElse) && used.tests.is_empty() && !is_listed {
                return Err(Unsupported::AbsentOrNothing.within(&used.keyword));
            }
            if !is_asked && used.buffer != Buffer::Payload {
                return Err(Unsupported::NothingAsked.within(&used.keyword));
            }
        }
        let is_asked = |used: &BufferUse| used.buffer != Buffer::Payload || !used.tests.is_empty();
        if options.datasets.is_empty() {
            options.uses.retain(is_asked);
        } else if !options.uses.iter().all(is_asked) {
            return Err(Unsupported::BesideOldStyle.within("dataset"));
        }
        Ok(options)
    }
}
