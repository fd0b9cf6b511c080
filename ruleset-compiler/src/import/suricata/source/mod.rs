//! Where rules stand: a file of rules; the JSON of a rule group; a CloudFormation template in YAML
//! or JSON; Terraform.

mod read;

mod cloudformation;
mod terraform;

mod group;
mod list;
mod stateful;

mod policy;

pub(super) use list::ListRule;
pub(super) use read::{Body, Line, RuleGroup, read};
