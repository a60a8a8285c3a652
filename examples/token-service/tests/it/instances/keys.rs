//! Keys that rotate while instances, whose clocks differ, issue and verify tokens.

use std::time::Duration;

use token_service::Settings;
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{JwkSet, JwtVerifier};

use super::world::World;
use super::{DAY, number_from};
use crate::support::{Client, ISSUER};

const FORM: &str = "grant_type=password&username=alice&password=wonderland";

/// Another service, which keeps the keys as long as their header allows, and asks any instance for them.
struct Verifier {
    clock: ManualClock,
    verifier: JwtVerifier,
    fetched_at: i64,
    max_age: i64,
}

impl Verifier {
    async fn new(world: &World, at: usize) -> Self {
        let answer = world.client(at).get("/jwks.json").await;
        let header = answer.header("cache-control");
        let max_age = header.split_once("max-age=").unwrap().1;
        let max_age = max_age.split(',').next().unwrap().parse().unwrap();
        let keys = JwkSet::from_json(&answer.body).unwrap();
        let verifier = JwtVerifier::new(ISSUER, ISSUER, keys).unwrap();
        let clock = world.clock.clone();
        let verifier = verifier.with_clock(clock.clone());
        Self { clock, verifier, fetched_at: world.now(), max_age }
    }

    fn is_stale(&self) -> bool {
        use tower_jwt_auth::Clock;
        self.clock.now().unix_seconds() - self.fetched_at >= self.max_age
    }
}

/// Numbers that look random: a linear congruential generator (Knuth).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[tokio::test]
async fn no_verifier_refuses_a_token_while_keys_rotate() {
    let world = &World::new().await;
    world.add_user("alice", "wonderland").await;
    let mut numbers = Numbers(number_from("INSTANCES_SEED", 1));
    let mut verifier = Verifier::new(world, 0).await;
    let mut seen = world.kids().await;
    // A year, with steps that are short where a key begins to sign.
    for _ in 0..400 {
        let is_short = numbers.below(2) == 0;
        world.pass(Duration::from_secs(if is_short { 100 } else { 2 * 86_400 - 50 }));
        // One of them may be late.
        let late = numbers.below(3);
        world.follow_keys(|at| at != late || is_short).await;
        let kids = world.kids().await;
        let added = kids.iter().filter(|kid| !seen.contains(kid));
        assert!(added.count() <= 1);
        seen.extend(kids);

        let token = world.client(numbers.below(3)).post(FORM).await.text("access_token");
        if verifier.is_stale() {
            verifier = Verifier::new(world, numbers.below(3)).await;
        }
        verifier.verifier.verify_now(&token).unwrap();
        for instance in &world.instances {
            let answer = instance.get_protected(&token).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }
    seen.sort();
    seen.dedup();
    assert!((4..=7).contains(&seen.len()), "{} keys in a year", seen.len());
}

#[tokio::test]
async fn an_instance_that_was_stopped_for_months_knows_the_keys_at_its_first_request() {
    let world = &World::new().await;
    world.add_user("alice", "wonderland").await;
    let stopped = 2;
    for _ in 0..40 {
        world.pass(10 * DAY);
        world.follow_keys(|at| at != stopped).await;
    }
    let token = world.client(0).post(FORM).await.text("access_token");
    let answer = world.instance(stopped).get_protected(&token).await;
    assert_eq!(answer.status, 200, "{}", answer.body);

    for _ in 0..40 {
        world.pass(10 * DAY);
        world.follow_keys(|at| at != stopped).await;
    }
    let token = world.client(stopped).post(FORM).await.text("access_token");
    for instance in &world.instances {
        let answer = instance.get_protected(&token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    for _ in 0..40 {
        world.pass(10 * DAY);
        world.follow_keys(|at| at != stopped).await;
    }
    let keys = async |at: usize| world.client(at).get("/jwks.json").await.body;
    assert_eq!(keys(stopped).await, keys(0).await);
}

#[tokio::test]
async fn an_instance_accepts_the_longer_tokens_of_others_until_they_expire() {
    let world = World::new().await;
    world.add_user("alice", "wonderland").await;
    // It starts after the others.
    let long = world.start(|settings: &mut Settings| settings.lifetime = 7 * DAY).await;
    let pass = async |time: Duration| {
        world.pass(time);
        long.clock.advance(time);
        world.follow_keys(|_| true).await;
        token_service::upkeep::follow_keys(&long.client.service).await.unwrap();
        world.follow_keys(|_| true).await;
    };
    pass(Duration::from_secs(2)).await;
    let first = world.kids().await;
    pass(83 * DAY).await;
    pass(7 * DAY - Duration::from_secs(60)).await;
    let token = long.client.post(FORM).await.text("access_token");
    assert_eq!(world.kids().await.len(), 2);
    for day in 0..7 {
        for instance in world.instances.iter().chain([&long]) {
            let answer = instance.get_protected(&token).await;
            assert_eq!(answer.status, 200, "day {day}: {}", answer.body);
            assert!(publishes(&instance.client, &first[0]).await, "day {day}");
        }
        pass(DAY).await;
    }
    pass(DAY).await;
    assert!(!world.kids().await.contains(&first[0]));
    for instance in world.instances.iter().chain([&long]) {
        assert!(!publishes(&instance.client, &first[0]).await);
    }
}

async fn publishes(client: &Client, kid: &str) -> bool {
    client.get("/jwks.json").await.body.contains(kid)
}
