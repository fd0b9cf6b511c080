//! Whose tokens are taken, and what is made of their claims.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::claim_path::ClaimPath;
use super::jwt_error::JwtError;
use crate::limits::NAME_BYTES_MAX;
use crate::spiffe_id::SpiffeId;

/// An issuer as it is configured. Its keys are beside it, because they change while it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtIssuer {
    /// Who it is, and whom it may vouch for.
    pub authority: Authority,
    /// What this proxy is called in `aud`; a token must name one of them. If there is none, no token is
    /// taken: one that was issued for somebody else must not serve here (RFC 8725 section 3.9).
    pub audiences: Vec<String>,
    /// With what its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Labels, and where in the claims their values stand. A claim that is not there gives no label.
    pub labels: BTreeMap<String, ClaimPath>,
    /// How far its clock may differ from ours; above [`crate::LEEWAY_SECONDS_MAX`] that counts.
    pub leeway_seconds: u32,
}

/// Who an issuer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// An OpenID provider, a Kubernetes cluster, a CI system.
    Issuer {
        /// `iss`, byte by byte.
        issuer: String,
        /// The claim that is the principal, most often `sub`.
        principal: ClaimPath,
    },
    /// The trust domain of a SPIFFE deployment, whose JWT-SVIDs need no `iss`: the principal is `sub`, the
    /// id of one of its workloads (JWT-SVID.md section 3.1).
    TrustDomain(String),
}

/// Whom a token names.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) principal: String,
    pub(crate) spiffe_id: Option<SpiffeId>,
}

impl Authority {
    /// Whether claims say that they are from here, whoever wrote them.
    pub(crate) fn is_named_by(&self, claims: &Map<String, Value>) -> bool {
        match self {
            Self::Issuer { issuer, .. } => claims.get("iss").is_some_and(|iss| iss == issuer),
            Self::TrustDomain(domain) => workload(claims, domain).is_some(),
        }
    }

    /// Whom claims name that are from here.
    pub(crate) fn subject(&self, claims: &Map<String, Value>) -> Result<Subject, JwtError> {
        match self {
            Self::Issuer { principal, .. } => {
                let text = principal.find(claims).and_then(Value::as_str);
                let text = text.filter(|text| is_name(text)).ok_or_else(|| {
                    let claim = principal.to_string();
                    JwtError::Principal { claim }
                })?;
                Ok(Subject {
                    principal: text.to_owned(),
                    spiffe_id: None,
                })
            }
            Self::TrustDomain(domain) => {
                let id = workload(claims, domain).ok_or_else(|| self.expected())?;
                Ok(Subject {
                    principal: id.as_str().to_owned(),
                    spiffe_id: Some(id),
                })
            }
        }
    }

    /// What is told of a token that is not from here.
    pub(crate) fn expected(&self) -> JwtError {
        match self.clone() {
            Self::Issuer { issuer, .. } => JwtError::Issuer { expected: issuer },
            Self::TrustDomain(expected) => JwtError::TrustDomain { expected },
        }
    }
}

/// The SPIFFE id of a workload in `sub`.
fn workload(claims: &Map<String, Value>, trust_domain: &str) -> Option<SpiffeId> {
    let id = SpiffeId::parse(claims.get("sub")?.as_str()?).ok()?;
    let is_workload = id.trust_domain() == trust_domain && !id.path().is_empty();
    is_workload.then_some(id)
}

impl JwtIssuer {
    /// Whether `aud`, a text or a list of texts (RFC 7519 section 4.1.3), names this proxy.
    pub(crate) fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), JwtError> {
        let is_ours = |audience: &Value| self.audiences.iter().any(|own| audience == own);
        let names_us = match claims.get("aud") {
            Some(Value::Array(audiences)) => {
                audiences.iter().all(Value::is_string) && audiences.iter().any(is_ours)
            }
            Some(audience) => is_ours(audience),
            None => false,
        };
        if names_us {
            return Ok(());
        }
        let expected = self.audiences.join(", ");
        Err(JwtError::Audience { expected })
    }

    /// The labels of a client: a text, a number or a boolean is one value, a list of them several.
    pub(crate) fn labels(
        &self,
        claims: &Map<String, Value>,
    ) -> Result<BTreeMap<String, Vec<String>>, JwtError> {
        let mut labels = BTreeMap::new();
        for (label, path) in &self.labels {
            let values = match path.find(claims) {
                None | Some(Value::Null) => continue,
                Some(Value::Array(values)) => values.iter().map(label_value).collect(),
                Some(value) => label_value(value).map(|value| vec![value]),
            };
            let values: Vec<String> = values.ok_or_else(|| {
                let (label, claim) = (label.clone(), path.to_string());
                JwtError::Label { label, claim }
            })?;
            if !values.is_empty() {
                labels.insert(label.clone(), values);
            }
        }
        Ok(labels)
    }
}

fn label_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => is_name(text).then(|| text.clone()),
        Value::Bool(_) => Some(value.to_string()),
        // A number with a fraction has many forms, of which rules could not know which to expect.
        Value::Number(number) => (!number.is_f64()).then(|| value.to_string()),
        _ => None,
    }
}

/// What logs and rules can take.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.contains(char::is_control)
}
