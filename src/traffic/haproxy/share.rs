//! Shares of requests as HAProxy's weights. Pure.
//!
//! A weight is a whole number from 0 to 256 and most server lines have 1: a share of 5 % of that cannot be said. So all servers of such a
//! backend are raised to 100 times their line's weight, at once and in proportion; a weight above its line's tells that this was done.

use super::reply::Server;

/// The largest weight.
pub(super) const LARGEST: u32 = 256;
/// A full one's share.
const FULL: u32 = 100;

/// A server's share of 100.
pub(super) fn read(weight: u32, initial: u32, scaled: bool) -> u16 {
    let share = match (initial, scaled) {
        (0, _) => u64::from(weight != 0) * u64::from(FULL),
        (initial, true) => u64::from(weight) / u64::from(initial),
        (initial, false) => u64::from(weight) * u64::from(FULL) / u64::from(initial),
    };
    u16::try_from(share).unwrap_or(u16::MAX)
}

/// The weights to set, in order, so that one server of a backend gets this share and the others keep theirs.
///
/// # Errors
/// A share that these server lines cannot say, with the remedy.
pub(super) fn weights<'a>(servers: &'a [Server], name: &'a str, share: u16) -> Result<Vec<(&'a str, u32)>, String> {
    let Some(own) = servers.iter().find(|server| server.name == name) else { return Err(format!("there is no server {name}")) };
    let scaled = servers.iter().any(|server| server.weight > server.initial);
    let share = u32::from(share).min(FULL);
    let initial = own.initial.max(1);
    let exact = initial * share / FULL;
    match () {
        () if scaled => Ok(changes(own, (initial * share).min(LARGEST))),
        () if initial * share % FULL == 0 => Ok(changes(own, exact)),
        // Within a tenth of what was asked.
        () if exact * FULL * 10 >= initial * share * 9 => Ok(changes(own, exact)),
        () if servers.iter().all(|server| server.initial * FULL <= LARGEST) => {
            let mut all: Vec<(&str, u32)> = servers.iter().map(|server| (server.name.as_str(), server.weight * FULL)).collect();
            all.retain(|(server, _)| *server != name);
            all.push((name, initial * share));
            Ok(all)
        }
        () => Err(format!("a share of {share} % cannot be said with `weight {initial}`: give the backend's server lines `weight 100`")),
    }
}

fn changes(server: &Server, weight: u32) -> Vec<(&str, u32)> {
    if server.weight == weight { Vec::new() } else { vec![(&server.name, weight)] }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server(name: &str, weight: u32, initial: u32) -> Server {
        Server {
            backend: "be".to_owned(),
            name: name.to_owned(),
            address: None,
            op: 2,
            admin: 0,
            weight,
            initial,
            since: 0,
            check: 6,
            check_port: 0,
            named: false,
        }
    }

    /// Sets them, and reads every share.
    fn shares(servers: &mut [Server], name: &str, share: u16) -> Result<Vec<u16>, String> {
        let set: Vec<(String, u32)> = weights(servers, name, share)?.into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect();
        for (name, weight) in set {
            servers.iter_mut().find(|server| server.name == name).unwrap().weight = weight;
        }
        let scaled = servers.iter().any(|server| server.weight > server.initial);
        Ok(servers.iter().map(|server| read(server.weight, server.initial, scaled)).collect())
    }

    #[test]
    fn weights_of_one_are_raised_together() {
        let mut servers = [server("a", 1, 1), server("b", 1, 1), server("c", 0, 1)];
        assert_eq!(weights(&servers, "a", 100), Ok(vec![]), "nothing to do");
        assert_eq!(shares(&mut servers, "c", 5), Ok(vec![100, 100, 5]));
        assert_eq!(servers.iter().map(|server| server.weight).collect::<Vec<_>>(), [100, 100, 5]);
        assert_eq!(shares(&mut servers, "c", 50), Ok(vec![100, 100, 50]));
        assert_eq!(weights(&servers, "c", 100), Ok(vec![("c", 100)]), "only one is changed from now on");
        assert_eq!(shares(&mut servers, "c", 0), Ok(vec![100, 100, 0]));
    }

    #[test]
    fn large_weights_need_no_raising() {
        let mut servers = [server("a", 100, 100), server("b", 100, 100)];
        assert_eq!(weights(&servers, "b", 5), Ok(vec![("b", 5)]));
        assert_eq!(shares(&mut servers, "b", 33), Ok(vec![100, 33]));
        let servers = [server("a", 10, 10), server("b", 10, 10)];
        assert_eq!(weights(&servers, "b", 50), Ok(vec![("b", 5)]));
        assert!(weights(&servers, "b", 5).unwrap_err().contains("weight 100"));
        assert!(weights(&servers, "z", 5).is_err());
    }

    proptest! {
        #[test]
        fn a_share_reads_back_nearly_and_the_others_keep_theirs(
            lines in prop::collection::vec(1..=256_u32, 1..5), at in any::<prop::sample::Index>(), share in 1..=100_u16
        ) {
            let mut servers: Vec<Server> =
                lines.iter().enumerate().map(|(place, weight)| server(&format!("s{place}"), *weight, *weight)).collect();
            let at = at.index(servers.len());
            let name = servers[at].name.clone();
            if let Ok(told) = shares(&mut servers, &name, share) {
                prop_assert!(servers.iter().all(|server| server.weight <= LARGEST));
                for (place, told) in told.into_iter().enumerate() {
                    let wanted = if place == at { share } else { 100 };
                    prop_assert!(told <= wanted && u32::from(told) * 10 + 10 >= u32::from(wanted) * 9, "{told} for {wanted}");
                }
            }
        }

        #[test]
        fn no_figures_panic(weight in 0..=u32::MAX, initial in 0..=u32::MAX, scaled: bool) {
            read(weight, initial, scaled);
        }
    }
}
