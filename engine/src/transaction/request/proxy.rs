//! What the transactions of one shard have in common.

use std::cell::RefCell;
use std::rc::Rc;

use crate::client::Authenticator;
use crate::clock;
use crate::shard::Shard;
use crate::shard::exhaustion::Exhaustion;
use crate::transaction::request::workspace::Workspace;
use crate::upstream::origins::Origins;

/// Workspaces kept for reuse; a shard with more transactions at once allocates.
const WORKSPACES_KEPT: usize = 1024;

/// The proxy as one thread runs it.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) shard: Shard,
    pub(crate) origins: Origins,
    /// Whose the credentials are that clients show.
    pub(crate) authenticator: Rc<Authenticator>,
    #[expect(
        clippy::vec_box,
        reason = "workspaces are large and move between owners"
    )]
    workspaces: RefCell<Vec<Box<Workspace>>>,
}

impl Proxy {
    pub(crate) fn new(shard: Shard, origins: Origins, authenticator: Authenticator) -> Self {
        Self {
            shard,
            origins,
            authenticator: Rc::new(authenticator),
            workspaces: RefCell::default(),
        }
    }

    pub(crate) fn rent_workspace(&self) -> Box<Workspace> {
        self.workspaces.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn give_back_workspace(&self, mut workspace: Box<Workspace>) {
        let mut kept = self.workspaces.borrow_mut();
        if kept.len() < WORKSPACES_KEPT {
            workspace.clear();
            kept.push(workspace);
        }
    }

    /// Closes some idle connections: those to origins, which can be made again, and those of clients that
    /// wait for nothing. Returns once there is a descriptor; `false`: there is nothing to close.
    pub(crate) async fn make_descriptors(&self) -> bool {
        let now = clock::now();
        let Shard {
            index, connections, ..
        } = &self.shard;
        let most = Exhaustion::shed_at_once(connections.count());
        let pooled = self.origins.pool.borrow_mut().shed(most, now);
        let shed = pooled + connections.shed_idle(most);
        let here = (*index, connections.count());
        self.shard.exhaustion.closed(here, shed, now).await
    }
}
