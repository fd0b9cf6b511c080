//! Keys and operators of conditions: do they exist, do they fit each other, is the key known in
//! the phase?

use sallyport_ruleset::{Field, Phase};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir;
use crate::operator::{OPERATORS, Operator, type_name};
use crate::source::Located;
use crate::suggest::did_you_mean;

/// The field that a key names; unknown keys are reported, and keys that the phase does not know.
pub fn field(key: &Located<String>, phase: Phase, diagnostics: &mut Diagnostics) -> Option<Field> {
    let Some(field) = Field::parse(&key.value) else {
        let mut unknown = Diagnostic::new(
            Code::UnknownConditionKey,
            key.span,
            format!("unknown condition key `{}`", key.value),
        );
        let (header, expected) = match key.value.split_once("Header/") {
            Some(_) => (
                true,
                "`request:Http:Header/NAME` or `response:Http:Header/NAME` with a header's name",
            ),
            None => (
                false,
                "one of the keys of docs/rules.md, such as `request:DestinationDomain`",
            ),
        };
        unknown = unknown.expected(expected);
        if !header {
            unknown = unknown.help_if(did_you_mean(
                &key.value,
                Field::words().map(|(word, _)| word),
            ));
        }
        diagnostics.report(unknown);
        return None;
    };
    if !field.is_available(phase) {
        let first = field.first_phase();
        let message = format!("`{}` is not known in {phase}", key.value);
        let http =
            "for plain HTTP the head is there, but a rule must mean the same whatever the scheme; ";
        let prefix = if phase == Phase::PreDns && is_http(&field) {
            http
        } else {
            ""
        };
        diagnostics.report(
            Diagnostic::new(Code::KeyNotInPhase, key.span, message)
                .expected(format!("a key that is known before {}", next_step(phase)))
                .help(format!(
                    "{prefix}move the rule to `[[{}]]`",
                    ir::phase_key(first)
                )),
        );
    }
    Some(field)
}

/// Whether the field is part of an HTTP head, which nobody sees inside a passthrough tunnel.
#[must_use]
pub fn is_http(field: &Field) -> bool {
    field.to_string().contains(":Http:")
}

const fn next_step(phase: Phase) -> &'static str {
    match phase {
        Phase::PreDns => "the name is resolved",
        Phase::PreRequest => "the request is forwarded",
        Phase::PostResponse => "the response is returned",
    }
}

/// The operator of a name; reported if there is none, or it does not fit the field.
pub fn operator(
    word: &Located<String>,
    field: Option<&Field>,
    diagnostics: &mut Diagnostics,
) -> Option<Operator> {
    let for_field = || {
        let fits = OPERATORS
            .into_iter()
            .filter(|op| field.is_none_or(|f| op.fits(f.field_type())));
        fits.map(|operator| operator.name).collect::<Vec<_>>()
    };
    let expected = || {
        let names: Vec<String> = for_field().iter().map(|name| format!("`{name}`")).collect();
        format!("one of {}", names.join(", "))
    };
    let Some(operator) = Operator::parse(&word.value) else {
        diagnostics.report(
            Diagnostic::new(
                Code::UnknownOperator,
                word.span,
                format!("unknown operator `{}`", word.value),
            )
            .expected(expected())
            .help_if(did_you_mean(
                &word.value,
                OPERATORS.iter().map(|operator| operator.name),
            )),
        );
        return None;
    };
    let field = field?;
    if operator.fits(field.field_type()) {
        return Some(operator);
    }
    let is = type_name(field.field_type());
    diagnostics.report(
        Diagnostic::new(
            Code::OperatorDoesNotFit,
            word.span,
            format!("`{}` does not fit `{field}`, which is {is}", word.value),
        )
        .expected(expected()),
    );
    None
}
