//! Authorities that OpenSSL made: each form of a key, subjects that rcgen cannot write.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustls::pki_types::UnixTime;
use sallyport::tls::read_authority;

use crate::minted;
use crate::openssl::{OpenSsl, P256, P384, RSA, RSA_1024};

/// Loads `ca.pem` with `ca.key`, mints for `a.test` and has OpenSSL verify that.
fn load_and_verify(openssl: &OpenSsl, root: &str) {
    let key = openssl.path("ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let authority = read_authority(&openssl.path("ca.pem"), None, UnixTime::now()).unwrap();
    let minter = minted::minter(authority);
    openssl.write("leaf.pem", minted::mint(&minter, "a.test", None));
    openssl.run(&format!(
        "verify -x509_strict -purpose sslserver -CAfile {root} -untrusted leaf.pem -verify_hostname a.test leaf.pem"
    ));
}

#[test]
fn each_form_of_each_key_is_read() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    for (kind, traditional) in [(P256, "ec"), (P384, "ec"), (RSA, "rsa -traditional")] {
        openssl.root("ca", kind);
        load_and_verify(&openssl, "ca.pem");
        // SEC1 and PKCS#1. For EC, OpenSSL writes a block of parameters before it if asked.
        openssl.run("pkey -in ca.key -out pkcs8.key");
        openssl.run(&format!("{traditional} -in pkcs8.key -out ca.key"));
        let text = String::from_utf8(openssl.read("ca.key")).unwrap();
        assert!(text.contains("BEGIN EC PRIVATE KEY") || text.contains("BEGIN RSA PRIVATE KEY"));
        load_and_verify(&openssl, "ca.pem");
        let both = [openssl.read("ca.key"), openssl.read("ca.pem")].concat();
        fs::remove_file(openssl.path("ca.key")).unwrap();
        openssl.write("both.pem", both);
        fs::rename(openssl.path("both.pem"), openssl.path("ca.key")).unwrap();
        load_and_verify(&openssl, "ca.pem");
    }
}

#[test]
fn keys_that_cannot_be_used_are_told_apart() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let complaint = || {
        let key = openssl.path("ca.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let error = read_authority(&openssl.path("ca.pem"), None, UnixTime::now());
        error.unwrap_err().to_string()
    };
    openssl.root("ca", P256);
    openssl.run("pkey -in ca.key -aes256 -passout pass:secret -out encrypted.key");
    fs::rename(openssl.path("encrypted.key"), openssl.path("ca.key")).unwrap();
    assert!(
        complaint().contains("ca.key: the private key is encrypted"),
        "{}",
        complaint()
    );
    openssl.root("ca", RSA);
    openssl.run("rsa -traditional -in ca.key -aes256 -passout pass:secret -out encrypted.key");
    fs::rename(openssl.path("encrypted.key"), openssl.path("ca.key")).unwrap();
    assert!(
        complaint().contains("the private key is encrypted"),
        "{}",
        complaint()
    );
    for kind in [
        "-algorithm ED25519",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
    ] {
        openssl.root("ca", kind);
        assert!(
            complaint().contains("ca.key: the private key cannot be used"),
            "{}",
            complaint()
        );
    }
    openssl.root("ca", RSA_1024);
    let said = complaint();
    assert!(said.contains("the RSA key has 1024 bits"), "{said}");
    openssl.run("rsa -traditional -in ca.key -out pkcs1.key");
    fs::rename(openssl.path("pkcs1.key"), openssl.path("ca.key")).unwrap();
    let said = complaint();
    assert!(said.contains("the RSA key has 1024 bits"), "{said}");
}

#[test]
fn subordinates_signed_with_sha_1_are_refused() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    openssl.root("root", RSA);
    let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign";
    openssl.sign("ca", RSA, "root", extensions, "-sha1");
    let key = openssl.path("ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = read_authority(&openssl.path("ca.pem"), None, UnixTime::now());
    let said = refused.unwrap_err().to_string();
    assert!(
        said.contains("`CN=ca` is signed with sha1WithRSAEncryption"),
        "{said}"
    );
}

/// Several attributes of one kind, several in one part: the issuer must be byte by byte the same.
#[test]
fn any_subject_will_do() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    for subject in [
        "/DC=test/DC=acme/OU=Security/OU=Proxies/CN=Proxy CA 7",
        "/C=AT/O=Acme+OU=Proxies/CN=Proxy CA",
        "/O=M\u{fc}ller & S\u{f6}hne/CN=Pr\u{fc}fstelle",
        "/UID=17",
    ] {
        openssl.run(&format!("genpkey {P256} -out ca.key"));
        openssl.run(&format!(
            "req -x509 -new -utf8 -key ca.key -subj '{subject}' -days 100 -out ca.pem \
             -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign"
        ));
        load_and_verify(&openssl, "ca.pem");
    }
}

#[test]
fn an_authority_without_key_identifier_is_used_too() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    openssl.run(&format!("genpkey {RSA} -out ca.key"));
    openssl.run(
        "req -x509 -new -key ca.key -subj /CN=Bare -days 100 -out ca.pem \
         -addext basicConstraints=critical,CA:TRUE -addext subjectKeyIdentifier=none \
         -addext authorityKeyIdentifier=none",
    );
    let key = openssl.path("ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let authority = read_authority(&openssl.path("ca.pem"), None, UnixTime::now()).unwrap();
    let minter = minted::minter(authority);
    openssl.write("leaf.pem", minted::mint(&minter, "a.test", None));
    openssl.run("verify -purpose sslserver -CAfile ca.pem -verify_hostname a.test leaf.pem");
}
