//! A request that is sent to its origin, and what it is answered.

pub(crate) mod answer;
pub(crate) mod attempts;
pub(crate) mod body;
pub(crate) mod final_recipient;
pub(crate) mod interim;
pub(crate) mod interim_count;
pub(crate) mod kept;
pub(crate) mod origin_connection;
pub(crate) mod origin_dial;
pub(crate) mod origin_tls;
pub(crate) mod pace;
pub(crate) mod pinned;
pub(crate) mod repeat;
mod response_head;
pub(crate) mod switching;
pub(crate) mod upload;
pub(crate) mod work;
