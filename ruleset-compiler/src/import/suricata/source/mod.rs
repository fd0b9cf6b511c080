//! Where rules stand: a file of rules; the JSON of a rule group; a CloudFormation template in YAML
//! or JSON; Terraform.

mod content;
mod read;

mod cloudformation;
mod terraform;

mod group;
mod list;
mod stateful;

mod policy;

pub(super) use content::{Body, Line, ListRule, RuleGroup};
pub(super) use read::read;
