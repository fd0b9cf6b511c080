//! The crypto floor: what rustls costs alone, in memory, for the handshakes and records that an
//! intercepting proxy cannot avoid. CPU time of this thread, medians over batches, as JSON on
//! standard output. Started by `benches/bars`.

#![expect(
    clippy::print_stdout,
    reason = "its output is for the script that starts it"
)]

use std::error::Error;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SigningKey,
};
use rustix::time::{ClockId, clock_gettime};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, RootCertStore, ServerConfig, ServerConnection,
};

const NAME: &str = "origin.test";
const BATCHES: usize = 15;
const BATCH: u32 = 200;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let ca = authority()?;
    let leaf_key = KeyPair::generate()?;
    let full = Pair::new(&ca, &leaf_key, Resumption::disabled())?;
    let resumed = Pair::new(&ca, &leaf_key, Resumption::default())?;
    resumed.handshake()?;
    let (server_full, client_full) = full.measure()?;
    let (server_resumed, client_resumed) = resumed.measure()?;
    let mint = median((0..BATCHES).map(|_| batch(|| leaf(&ca, &leaf_key).map(drop))))?;
    println!(
        "{{\"server_full_us\":{server_full:.2},\"client_full_us\":{client_full:.2},\
         \"server_resumed_us\":{server_resumed:.2},\"client_resumed_us\":{client_resumed:.2},\
         \"mint_us\":{mint:.2},\"exchange_1k_us\":{:.3}}}",
        full.measure_exchange()?
    );
    Ok(())
}

fn authority() -> Outcome<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A leaf for [`NAME`] with an existing key: what a mint costs once both keys are there.
fn leaf(ca: &CertifiedIssuer<'_, KeyPair>, key: &impl SigningKey) -> Outcome<rcgen::Certificate> {
    let mut params = CertificateParams::new([NAME.to_owned()])?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params.signed_by(key, ca)?)
}

/// Both ends of a connection.
struct Pair {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Pair {
    fn new(
        ca: &CertifiedIssuer<'_, KeyPair>,
        key: &KeyPair,
        resumption: Resumption,
    ) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone())?;
        // What the proxy prefers.
        let provider = Arc::new(CryptoProvider {
            cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
            ..aws_lc_rs::default_provider()
        });
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = resumption;
        let key_der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![leaf(ca, key)?.der().clone()], key_der)?;
        server.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }

    /// CPU time of the server's and of the client's part of one handshake.
    fn handshake(&self) -> Outcome<(Duration, Duration)> {
        self.connect().map(|(.., server, client)| (server, client))
    }

    fn connect(&self) -> Outcome<(ServerConnection, ClientConnection, Duration, Duration)> {
        let (mut server_time, mut client_time) = (Duration::ZERO, Duration::ZERO);
        let began = cpu_time();
        let mut client =
            ClientConnection::new(Arc::clone(&self.client), ServerName::try_from(NAME)?)?;
        client_time += cpu_time() - began;
        let began = cpu_time();
        let mut server = ServerConnection::new(Arc::clone(&self.server))?;
        server_time += cpu_time() - began;
        // The last turn carries the tickets.
        while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
            let bytes = timed(&mut client_time, || send(&mut client))?;
            timed(&mut server_time, || receive(&mut server, &bytes))?;
            let bytes = timed(&mut server_time, || send(&mut server))?;
            timed(&mut client_time, || receive(&mut client, &bytes))?;
        }
        Ok((server, client, server_time, client_time))
    }

    /// Microseconds per handshake: server, client.
    fn measure(&self) -> Outcome<(f64, f64)> {
        let mut servers = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..BATCHES {
            let (mut server, mut client) = (Duration::ZERO, Duration::ZERO);
            for _ in 0..BATCH {
                let (one, other) = self.handshake()?;
                server += one;
                client += other;
            }
            servers.push(Ok(per_step(server)));
            clients.push(Ok(per_step(client)));
        }
        Ok((median(servers)?, median(clients)?))
    }

    /// Microseconds of the middle for a request of 100 bytes and a response of 1 KiB: each is
    /// decrypted once and encrypted once.
    fn measure_exchange(&self) -> Outcome<f64> {
        let (mut server, mut client, ..) = self.connect()?;
        let mut plain = vec![0; 2048];
        median((0..BATCHES).map(|_| {
            batch(|| {
                for length in [100, 1024] {
                    client
                        .writer()
                        .write_all(plain.get(..length).unwrap_or_default())?;
                    let bytes = send(&mut client)?;
                    receive(&mut server, &bytes)?;
                    server
                        .reader()
                        .read_exact(plain.get_mut(..length).unwrap_or_default())?;
                }
                Ok(())
            })
        }))
    }
}

fn send<S>(connection: &mut ConnectionCommon<S>) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes)?;
    }
    Ok(bytes)
}

fn receive<S>(connection: &mut ConnectionCommon<S>, mut bytes: &[u8]) -> Outcome<()> {
    while !bytes.is_empty() {
        connection.read_tls(&mut bytes)?;
        connection.process_new_packets()?;
    }
    Ok(())
}

fn timed<T>(time: &mut Duration, step: impl FnOnce() -> T) -> T {
    let began = cpu_time();
    let outcome = step();
    *time += cpu_time() - began;
    outcome
}

/// Microseconds per step, over [`BATCH`] of them.
fn batch(mut step: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let began = cpu_time();
    for _ in 0..BATCH {
        step()?;
    }
    Ok(per_step(cpu_time() - began))
}

fn per_step(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(BATCH)
}

fn median(values: impl IntoIterator<Item = Outcome<f64>>) -> Outcome<f64> {
    let mut values = values.into_iter().collect::<Outcome<Vec<_>>>()?;
    values.sort_by(f64::total_cmp);
    values
        .get(values.len() / 2)
        .copied()
        .ok_or_else(|| "nothing was measured".into())
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or_default(),
        time.tv_nsec.try_into().unwrap_or_default(),
    )
}
