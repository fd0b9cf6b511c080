//! `/connections`: what is open, shard by shard and client by client.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::instance::Instance;
use super::orders::ShardUsage;
use super::reply::{self, Body};
use crate::limits::ADMIN_CLIENTS_SHOWN;
use crate::shard::clients::ClientUsage;

/// Shards look for messages ten times a second.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks all shards; one that does not answer in time is missing.
pub(super) async fn answer(instance: &Instance) -> Response<Body> {
    let (to, mut told) = mpsc::unbounded_channel();
    instance.orders().usage(to);
    let mut shards = Vec::new();
    let _ = timeout(PATIENCE, async {
        while let Some(usage) = told.recv().await {
            shards.push(usage);
        }
    })
    .await;
    shards.sort_by_key(|usage| usage.shard);
    reply::json(StatusCode::OK, &page(&shards))
}

fn page(shards: &[ShardUsage]) -> Value {
    let mut clients: BTreeMap<IpAddr, ClientUsage> = BTreeMap::new();
    for usage in shards.iter().flat_map(|shard| &shard.clients) {
        let sum = clients.entry(usage.client).or_insert_with(|| ClientUsage {
            client: usage.client,
            connections: 0,
            tunnels: 0,
            streams: 0,
            upstream_idle: 0,
        });
        sum.connections += usage.connections;
        sum.tunnels += usage.tunnels;
        sum.streams += usage.streams;
        sum.upstream_idle += usage.upstream_idle;
    }
    let count = clients.len();
    let mut clients: Vec<_> = clients.into_values().collect();
    clients.sort_by_key(|usage| std::cmp::Reverse(usage.connections + usage.streams));
    clients.truncate(ADMIN_CLIENTS_SHOWN);
    let of_shard = |usage: &ShardUsage| {
        json!({
            "shard": usage.shard,
            "connections": usage.connections,
            "idle": usage.idle,
        })
    };
    let of_client = |usage: &ClientUsage| {
        json!({
            "client": usage.client.to_string(),
            "connections": usage.connections,
            "tunnels": usage.tunnels,
            "streams": usage.streams,
            "upstream_idle": usage.upstream_idle,
        })
    };
    json!({
        "shards": shards.iter().map(of_shard).collect::<Vec<_>>(),
        "clients_count": count,
        "clients": clients.iter().map(of_client).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(client: &str, connections: usize) -> ClientUsage {
        ClientUsage {
            client: client.parse().unwrap(),
            connections,
            tunnels: 1,
            streams: 0,
            upstream_idle: 2,
        }
    }

    #[test]
    fn a_client_of_two_shards_is_one_and_the_busiest_comes_first() {
        let shard = |shard, clients| ShardUsage {
            shard,
            connections: 9,
            idle: 1,
            clients,
        };
        let told = page(&[
            shard(0, vec![usage("192.0.2.1", 3), usage("192.0.2.2", 4)]),
            shard(1, vec![usage("192.0.2.1", 2)]),
        ]);
        assert_eq!(told["clients_count"], 2);
        assert_eq!(told["clients"][0]["client"], "192.0.2.1");
        assert_eq!(told["clients"][0]["connections"], 5);
        assert_eq!(told["clients"][0]["tunnels"], 2);
        assert_eq!(
            told["shards"][1],
            json!({"shard": 1, "connections": 9, "idle": 1})
        );
    }
}
