//! From `Proxy-Authorization` to whose it is, on one shard.
//!
//! What was verified is remembered for a while, by a digest with a key of this shard, never by what the
//! client sent; whether it still counts is asked each time. What is slow is done by `verifier`: requests
//! with the same credentials wait for one verification.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Poll, Waker};
use std::time::Duration;

use hashbrown::HashMap;
use lru::LruCache;
use sallyport_identity::Authorization;
use sha2::{Digest as _, Sha256};

use super::failures::Failures;
use super::verifier::{Answer, Busy, Found, Job, Verifiers};
use crate::config::checked::AuthMethods;
use crate::hashing::MapHasher;
use crate::identity::{Authenticated, Digest, Identities, Labels, Proof};
use crate::io::task;
use crate::io::timer;
use crate::limits::{AUTHENTICATED_ENTRIES, AUTHENTICATED_SECONDS};
use crate::shard::ClientKey;

/// How often a shard that waits for verifications looks whether one is done; they take tens of
/// milliseconds.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// What a shard knows of the credentials that it was shown.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// Nobody can prepare credentials that have the digest of others.
    secret: Digest,
    remembered: RefCell<LruCache<Digest, Remembered, MapHasher>>,
    waiting: RefCell<HashMap<Digest, Rc<Waiting>, MapHasher>>,
    failures: Failures,
    verifiers: Arc<Verifiers>,
    answers: (Sender<Answer>, Receiver<Answer>),
    is_collecting: Cell<bool>,
}

#[derive(Debug)]
struct Remembered {
    authenticated: Rc<Authenticated>,
    /// Seconds of Unix time.
    until: i64,
}

/// Requests that wait for one verification.
#[derive(Debug, Default)]
struct Waiting {
    found: RefCell<Option<Result<Rc<Authenticated>, String>>>,
    wakers: RefCell<Vec<Waker>>,
}

/// Credentials, and where they were shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) identities: &'a Arc<Identities>,
    /// What the listener takes.
    pub(crate) methods: AuthMethods,
    /// The value of `Proxy-Authorization`.
    pub(crate) value: &'a [u8],
    pub(crate) client: ClientKey,
    /// Seconds of Unix time.
    pub(crate) now: i64,
}

/// Why it is not known who asks.
#[derive(Debug)]
pub(crate) enum NotAuthenticated {
    /// What was said is wrong, and why.
    Wrong {
        why: String,
        /// It was a token.
        is_token: bool,
    },
    /// The client was wrong too often in this minute.
    TooManyFailures,
    /// Too many wait to be verified.
    Busy,
}

impl Authenticator {
    /// Nothing is known yet.
    ///
    /// # Errors
    /// When the system gives no random number.
    pub(crate) fn new(verifiers: Arc<Verifiers>) -> io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let entries = NonZeroUsize::new(AUTHENTICATED_ENTRIES).unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            secret,
            remembered: RefCell::new(LruCache::with_hasher(entries, MapHasher::default())),
            waiting: RefCell::default(),
            failures: Failures::default(),
            verifiers,
            answers: mpsc::channel(),
            is_collecting: Cell::new(false),
        })
    }

    /// Whose the credentials are.
    pub(crate) async fn authenticate(
        self: &Rc<Self>,
        asked: Asked<'_>,
    ) -> Result<Rc<Authenticated>, NotAuthenticated> {
        let key = self.key(asked.value);
        if let Some(known) = self.known(&key, &asked) {
            return Ok(known);
        }
        if self.is_over(&asked) {
            return Err(NotAuthenticated::TooManyFailures);
        }
        let found = self.verify(key, &asked).await;
        match &found {
            Ok(authenticated) => self.remember(key, authenticated, asked.now),
            Err(NotAuthenticated::Wrong { .. }) => self.failures.count(asked.client, asked.now),
            Err(_) => {}
        }
        found
    }

    fn is_over(&self, asked: &Asked<'_>) -> bool {
        let most = asked.identities.failures_per_minute;
        self.failures.is_over(asked.client, most, asked.now)
    }

    fn key(&self, value: &[u8]) -> Digest {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(value);
        hash.finalize().into()
    }

    /// What is remembered of the credentials, if it still counts.
    fn known(&self, key: &Digest, asked: &Asked<'_>) -> Option<Rc<Authenticated>> {
        let mut remembered = self.remembered.borrow_mut();
        let Remembered {
            authenticated,
            until,
        } = remembered.get(key)?;
        let Asked {
            identities,
            methods,
            now,
            ..
        } = *asked;
        if now < *until && authenticated.holds(identities, methods, now) {
            return Some(Rc::clone(authenticated));
        }
        remembered.pop(key);
        None
    }

    fn remember(&self, key: Digest, authenticated: &Rc<Authenticated>, now: i64) {
        let until = match authenticated.proof {
            Proof::Jwt { until, .. } => until,
            Proof::Password { .. } | Proof::Token { .. } => now + AUTHENTICATED_SECONDS,
        };
        let authenticated = Rc::clone(authenticated);
        let remembered = Remembered {
            authenticated,
            until,
        };
        self.remembered.borrow_mut().put(key, remembered);
    }

    async fn verify(
        self: &Rc<Self>,
        key: Digest,
        asked: &Asked<'_>,
    ) -> Result<Rc<Authenticated>, NotAuthenticated> {
        let wrong = |why: String, is_token| NotAuthenticated::Wrong { why, is_token };
        let credentials = Authorization::parse(asked.value);
        let credentials = credentials.map_err(|error| wrong(error.to_string(), false))?;
        let methods = asked.methods;
        let is_token = matches!(credentials, Authorization::Bearer(_));
        if methods.bearer
            && let Some(token) = credentials.token()
            && let Some(found) = asked.identities.tokens.find(token, asked.now)
        {
            return Ok(Rc::new(Authenticated {
                principal: found.name.as_str().into(),
                spiffe: None,
                labels: found
                    .labels
                    .iter()
                    .map(|(name, value)| (name, [value]))
                    .collect(),
                proof: Proof::Token {
                    digest: Sha256::digest(token.as_bytes()).into(),
                },
            }));
        }
        let is_slow = methods.jwt || methods.basic && !is_token;
        if !is_slow {
            let why = "the credentials are not known or have expired";
            return Err(wrong(why.to_owned(), is_token));
        }
        let waiting = self.waiting.borrow().get(&key).map(Rc::clone);
        let waiting = match waiting {
            Some(waiting) => waiting,
            None => self
                .ask(key, credentials, asked)
                .map_err(|Busy| NotAuthenticated::Busy)?,
        };
        let found = poll_fn(|context| match &*waiting.found.borrow() {
            Some(found) => Poll::Ready(found.clone()),
            None => {
                waiting.wakers.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        });
        found.await.map_err(|why| wrong(why, is_token))
    }

    /// Has credentials verified, and the answer waited for.
    fn ask(
        self: &Rc<Self>,
        key: Digest,
        credentials: Authorization,
        asked: &Asked<'_>,
    ) -> Result<Rc<Waiting>, Busy> {
        self.verifiers.take(Job {
            identities: Arc::clone(asked.identities),
            methods: asked.methods,
            credentials,
            now: asked.now,
            key,
            answers: self.answers.0.clone(),
        })?;
        let waiting = Rc::new(Waiting::default());
        self.waiting.borrow_mut().insert(key, Rc::clone(&waiting));
        if !self.is_collecting.replace(true) {
            let (collector, after) = (Rc::clone(self), Rc::clone(self));
            let collecting = async move { collector.collect().await };
            task::spawn("collecting verified credentials", collecting, move || {
                after.is_collecting.set(false);
            });
        }
        Ok(waiting)
    }

    /// Takes answers until nobody waits for one.
    async fn collect(&self) {
        while !self.waiting.borrow().is_empty() {
            timer::sleep(LOOK_INTERVAL).await;
            while let Ok(Answer { key, found }) = self.answers.1.try_recv() {
                let Some(waiting) = self.waiting.borrow_mut().remove(&key) else {
                    continue;
                };
                let found = found.map(|found| Rc::new(Authenticated::from(found)));
                waiting.found.replace(Some(found));
                for waker in waiting.wakers.take() {
                    waker.wake();
                }
            }
        }
        self.is_collecting.set(false);
    }
}

impl From<Found> for Authenticated {
    fn from(found: Found) -> Self {
        match found {
            Found::User { name, entry } => Self {
                principal: name.into(),
                spiffe: None,
                labels: Labels::default(),
                proof: Proof::Password { entry },
            },
            Found::Jwt {
                verified,
                issuer,
                verified_under,
            } => Self {
                spiffe: verified.spiffe_id.as_ref().map(|id| id.as_str().into()),
                labels: verified.labels.iter().collect(),
                proof: Proof::Jwt {
                    issuer,
                    verified_under,
                    until: verified.remembered_until,
                },
                principal: verified.principal.into(),
            },
        }
    }
}
