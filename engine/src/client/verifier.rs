//! Verifying passwords and JWTs, which takes too long for a shard: on threads beside the data path, which
//! start when they are first needed and end with the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use sallyport_identity::{Authorization, Jwt, JwtIssuer, VerifiedJwt};

use crate::config::checked::AuthMethods;
use crate::identity::{Digest, Identities};
use crate::limits::{VERIFICATIONS_WAITING_MAX, VERIFIER_THREADS};

/// The threads of the process.
#[derive(Debug, Default)]
pub(crate) struct Verifiers {
    queue: OnceLock<Option<SyncSender<Job>>>,
}

/// Credentials to be verified.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) identities: Arc<Identities>,
    pub(super) methods: AuthMethods,
    pub(super) credentials: Authorization,
    /// Seconds of Unix time.
    pub(super) now: i64,
    /// What the shard knows them by.
    pub(super) key: Digest,
    /// Where the shard waits.
    pub(super) answers: Sender<Answer>,
}

/// What became of a job.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) key: Digest,
    pub(super) found: Result<Found, String>,
}

/// Whose credentials are.
#[derive(Debug)]
pub(super) enum Found {
    User {
        name: String,
        entry: Digest,
    },
    Jwt {
        verified: Box<VerifiedJwt>,
        issuer: Box<JwtIssuer>,
        /// The [`Identities::id`] of the keys.
        verified_under: u64,
    },
}

/// Nobody can take the job now.
#[derive(Debug)]
pub(super) struct Busy;

impl Verifiers {
    /// Has a job done, unless too many wait.
    pub(super) fn take(&self, job: Job) -> Result<(), Busy> {
        let queue = self.queue.get_or_init(start).as_ref().ok_or(Busy)?;
        queue.try_send(job).map_err(|_: TrySendError<Job>| Busy)
    }
}

/// Starts the threads; `None`: the system gives none.
fn start() -> Option<SyncSender<Job>> {
    let (sender, jobs) = mpsc::sync_channel(VERIFICATIONS_WAITING_MAX);
    let jobs = Arc::new(Mutex::new(jobs));
    let mut started = 0;
    for index in 0..VERIFIER_THREADS {
        let jobs = Arc::clone(&jobs);
        let thread = thread::Builder::new().name(format!("verifier-{index}"));
        match thread.spawn(move || work(&jobs)) {
            Ok(_) => started += 1,
            Err(error) => tracing::error!(%error, "cannot start a thread that verifies passwords"),
        }
    }
    (started > 0).then_some(sender)
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // Held while waiting: the others wait for the lock meanwhile.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let verifying = AssertUnwindSafe(|| verify(&job));
        let found = catch_unwind(verifying).unwrap_or_else(|_| {
            tracing::error!("panicked: verifying credentials");
            Err("the credentials could not be verified".to_owned())
        });
        // A shard that has ended waits for no answer.
        let _ = job.answers.send(Answer {
            key: job.key,
            found,
        });
    }
}

fn verify(job: &Job) -> Result<Found, String> {
    let Job {
        identities,
        methods,
        credentials,
        now,
        ..
    } = job;
    if methods.jwt
        && let Some(token) = credentials.token()
        && let Ok(jwt) = Jwt::parse(token)
    {
        let mut issuers = identities.issuers.iter();
        let known = issuers
            .find(|known| jwt.claims_to_be_of(&known.issuer))
            .ok_or("the token is of no issuer that is believed")?;
        let verified = jwt.verify(&known.issuer, &known.keys, *now);
        let verified = verified.map_err(|error| format!("the token is refused: {error}"))?;
        return Ok(Found::Jwt {
            verified: Box::new(verified),
            issuer: Box::new(known.issuer.clone()),
            verified_under: identities.id,
        });
    }
    if methods.basic
        && let Authorization::Basic { user, password } = credentials
    {
        let users = &identities.users;
        if users.verify(user, password.expose())
            && let Some(entry) = users.entry_digest(user)
        {
            let name = user.clone();
            return Ok(Found::User { name, entry });
        }
        return Err("user and password do not fit".to_owned());
    }
    Err("the token is not known or has expired".to_owned())
}
