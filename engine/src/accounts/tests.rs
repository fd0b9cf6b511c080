//! The files as the readers of the proxy see them.

use sallyport_identity::{PasswordFile, Secret, TokenFile};

use super::tokens::{self, NewToken};
use super::users;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[test]
fn users_come_change_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.txt");
    let file = || PasswordFile::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
    users::add(&path, "ann", &secret("one")).unwrap();
    users::add(&path, "bob", &secret("two")).unwrap();
    assert!(file().verify("ann", "one") && file().verify("bob", "two"));
    let changed = users::add(&path, "ann", &secret("three")).unwrap();
    assert!(changed.starts_with("changed ann in "), "{changed}");
    assert!(file().verify("ann", "three") && !file().verify("ann", "one"));
    users::remove(&path, "ann").unwrap();
    assert!(!file().verify("ann", "three") && file().verify("bob", "two"));
    let gone = users::remove(&path, "ann").unwrap_err();
    assert!(gone.to_string().ends_with("no user ann"), "{gone}");
    for name in ["", "a:b", "#a", "a\nb"] {
        assert!(users::check_name(name).is_err(), "{name:?}");
    }
    assert!(users::check_name("Ünal").is_ok());
}

#[test]
fn what_others_have_written_stays() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.txt");
    let hash = users::hash(&secret("one")).unwrap();
    std::fs::write(&path, format!("# ann:people\n\nann:{hash}")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    users::add(&path, "bob", &secret("two")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&format!("# ann:people\n\nann:{hash}\nbob:$argon2id$")));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    std::fs::write(&path, "ann:plain\n").unwrap();
    let refused = users::add(&path, "bob", &secret("two")).unwrap_err();
    assert!(
        refused.to_string().contains("line 1: ann: expected a hash"),
        "{refused}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "ann:plain\n");
}

#[test]
fn tokens_are_drawn_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    let new = |name: &str| NewToken {
        name: name.to_owned(),
        labels: vec![("team".to_owned(), "pay \"ments\"".to_owned())],
        expires: Some("2027-01-01T00:00:00.5Z".parse().unwrap()),
    };
    let token = tokens::add(&path, &new("build")).unwrap();
    let other = tokens::add(&path, &new("deploy")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&token), "only its digest is kept");
    let file = TokenFile::parse(&text).unwrap();
    let found = file.find(&token, 1_798_761_599).unwrap();
    assert_eq!(
        (found.name.as_str(), found.labels["team"].as_str()),
        ("build", "pay \"ments\"")
    );
    assert_eq!(file.find(&other, 0).unwrap().name, "deploy");
    assert!(file.find(&token, 1_798_761_600).is_none());
    let refused = tokens::add(&path, &new("")).unwrap_err();
    assert!(
        refused.to_string().contains("name: expected 1 to 256"),
        "{refused}"
    );
}
