//! The target: a script played in the world, and what must hold of it.

use std::sync::{Mutex, PoisonError};

use super::script::Step;
use super::world::World;
use super::{played, script, seen};

/// One client connection and what its requests lead to; the input is as `script` says.
pub fn transaction(data: &[u8]) {
    // Tests of one process share the world, which plays one script at a time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::get();
    let panics = world.panics();
    let steps = script::steps(data);
    let played = played::play(&steps, world);
    assert_eq!(
        panics,
        world.panics(),
        "something panicked inside the proxy"
    );
    for received in &played.origin {
        seen::by_the_origin(received);
    }
    let mut answers = seen::by_the_client(&played.client, data);
    // What was on its way is lost.
    answers.are_all &= !steps.contains(&Step::ClientAborts);
    world.check_log(played.client_port, answers);
}
