//! `scripts/bench` runs this program; `peers` without arguments lists its commands.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use serde_json::json;
use tower_jwt_auth_peers::contender::Contender;
use tower_jwt_auth_peers::fixture::{self, Algorithm, Fixture, Scenario};
use tower_jwt_auth_peers::{contenders, growth, limits, measure, serve, this_crate};

const USAGE: &str = "\
peers check                                every contender accepts and refuses what it must
peers time [ROUNDS [ALGORITHM [GROUP]...]] times, one JSON object per algorithm and scenario
peers growth [ROUNDS]                      how the cost of this crate grows, as JSON
peers threads [ROUNDS]                     two threads against one, as JSON
peers list ALGORITHM SCENARIO              the names of the contenders
peers count ALGORITHM SCENARIO NAME N      runs one contender N times, for callgrind; also with the scenario growth
peers servers                              the names of the servers
peers serve NAME ALGORITHM FOLDER          serves on loopback; writes its key and its tokens to the folder";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Whether the command succeeded; `None` for a command that does not exist.
fn run(arguments: &[&str]) -> Option<bool> {
    match *arguments {
        ["check"] => return Some(check()),
        ["time", ref rest @ ..] => {
            let rounds = rest.first().map_or(Some(200), |rounds| rounds.parse().ok())?;
            let algorithms = match rest.get(1) {
                Some(name) => vec![Algorithm::named(name)?],
                None => Algorithm::ALL.to_vec(),
            };
            let groups = rest.get(2..).unwrap_or_default();
            time(rounds, &algorithms, groups);
        }
        ["growth", ref rest @ ..] => {
            growth(rest.first().map_or(Some(100), |rounds| rounds.parse().ok())?);
        }
        ["threads", ref rest @ ..] => {
            threads(rest.first().map_or(Some(30), |rounds| rounds.parse().ok())?);
        }
        ["list", algorithm, scenario] => {
            let fixture = Fixture::new(Algorithm::named(algorithm)?);
            let all = contenders(&fixture, Scenario::named(scenario)?);
            all.iter().for_each(|contender| println!("{}", contender.name()));
        }
        ["count", algorithm, scenario, name, count] => {
            let fixture = Fixture::new(Algorithm::named(algorithm)?);
            let (scenario, all) = match scenario {
                "growth" => (Scenario::Valid, growth::contenders(&fixture)),
                _ => {
                    let scenario = Scenario::named(scenario)?;
                    (scenario, contenders(&fixture, scenario))
                }
            };
            let mut contender = all.into_iter().find(|contender| contender.name() == name)?;
            let usual = (scenario, &fixture.authorization(scenario));
            let (expected, headers) = contender.requests(usual, count.parse().ok()?);
            // Not counted: the first request may take another path.
            contender.run_with(&headers[..1], &mut |measured| measured());
            return Some(contender.run(&headers).outcomes.are_right(expected));
        }
        ["servers"] => serve::SERVERS.iter().for_each(|name| println!("{name}")),
        ["serve", name, algorithm, folder] => {
            let fixture = Fixture::new(Algorithm::named(algorithm)?);
            let served = write_files(&fixture, Path::new(folder))
                .and_then(|()| serve::serve(name, &fixture));
            if let Err(error) = served {
                eprintln!("{error}");
                return Some(false);
            }
        }
        _ => return None,
    }
    Some(true)
}

/// Prints the contenders. False if one accepts what it must refuse, or the other way round.
///
/// A forged token is sent after many good ones: a contender may remember the good one, or its key.
fn check() -> bool {
    let mut all_right = true;
    for algorithm in Algorithm::ALL {
        let fixture = Fixture::new(algorithm);
        let authorizations = fixture.all_authorizations();
        let mut names = Vec::new();
        for mut contender in contenders(&fixture, Scenario::Valid) {
            for (scenario, header) in &authorizations {
                if !contender.takes_part_in(*scenario) {
                    continue;
                }
                let count = if *scenario == Scenario::Valid { 512 } else { 2 };
                let outcomes = contender.run(&vec![header.clone(); count]).outcomes;
                if !outcomes.are_right(*scenario) {
                    all_right = false;
                    let (algorithm, scenario) = (algorithm.name(), scenario.name());
                    eprintln!("wrong: {algorithm}, {scenario}, {}: {outcomes:?}", contender.name());
                }
            }
            names.push(contender.name());
        }
        println!("{}: {} contenders: {}", algorithm.name(), names.len(), names.join("; "));
    }
    all_right
}

fn time(rounds: usize, algorithms: &[Algorithm], groups: &[&str]) {
    for &algorithm in algorithms {
        let fixture = Fixture::new(algorithm);
        for scenario in Scenario::MEASURED {
            // Without a token, the algorithm makes no difference; RS256 is the one that all contenders can do.
            if scenario == Scenario::Missing && algorithm != Algorithm::Rs256 {
                continue;
            }
            let mut all = contenders(&fixture, scenario);
            all.retain(|one| groups.is_empty() || groups.contains(&one.group().name()));
            print_times(&fixture, scenario.name(), scenario, &mut all, rounds);
        }
    }
}

fn growth(rounds: usize) {
    let fixture = Fixture::new(Algorithm::Hs256);
    let mut all = growth::contenders(&fixture);
    print_times(&fixture, "growth", Scenario::Valid, &mut all, rounds);
}

fn print_times(
    fixture: &Fixture,
    name: &str,
    scenario: Scenario,
    contenders: &mut [Contender],
    rounds: usize,
) {
    let header = fixture.authorization(scenario);
    let measured = measure::interleaved(contenders, fixture.algorithm, scenario, &header, rounds);
    let series = measured.series.iter().map(|series| {
        json!({
            "name": series.name,
            "group": series.group.name(),
            "own bytes": series.own_length,
            "ns": series.rounds,
        })
    });
    let line = json!({
        "algorithm": fixture.algorithm.name(),
        "scenario": name,
        "token bytes": header.as_ref().map_or(0, |header| header.len() - 7),
        "discarded": measured.discarded,
        "series": series.collect::<Vec<_>>(),
    });
    println!("{line}");
}

fn threads(rounds: usize) {
    let fixture = Fixture::new(Algorithm::Hs256);
    let tokens: Vec<String> = (0..1_000).map(|serial| fixture.token(serial)).collect();
    // Each thread has tokens of its own: the counter of a token that both verify would move between their cores.
    let half = tokens.len() / 2;
    let token = |thread: usize, at: usize| thread * half + at % half;

    // What the machine can do: each thread has a key of its own.
    let keys = [limits::Key::new(&fixture), limits::Key::new(&fixture)];
    let parsed: Vec<_> = tokens.iter().map(|token| fixture::split(token)).collect();
    let bare = |thread: usize, at: usize| {
        let (message, signature) = &parsed[token(thread, at)];
        keys[thread].verify(message, signature)
    };
    let verifier = this_crate::verifier(&fixture);
    let ours = |thread: usize, at: usize| verifier.verify_now(&tokens[token(thread, at)]).is_ok();
    #[cfg(feature = "cache")]
    let cached = this_crate::cached_verifier(&fixture);
    #[cfg(feature = "cache")]
    let hit = |thread: usize, at: usize| cached.verify_now(&tokens[token(thread, at)]).is_ok();
    let contenders: &[(&str, measure::Verify<'_>)] = &[
        ("bare signature check", &bare),
        ("this crate", &ours),
        #[cfg(feature = "cache")]
        ("this crate, cache hit", &hit),
    ];
    let verify: Vec<_> = contenders.iter().map(|(_, verify)| *verify).collect();
    for ((name, _), speed_ups) in contenders.iter().zip(measure::two_threads(&verify, rounds)) {
        println!("{}", json!({"name": name, "two threads": speed_ups}));
    }
}

fn write_files(fixture: &Fixture, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (scenario, header) in fixture.all_authorizations() {
        if let Some(header) = header {
            fs::write(folder.join(scenario.name()), header.as_bytes())?;
        }
    }
    let key = if fixture.secret.is_empty() { &fixture.public_pem } else { fixture.secret };
    fs::write(folder.join("key"), key)
}
