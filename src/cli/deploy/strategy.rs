//! `--strategy S`: another way over the hosts than the policy's, for one deployment.

use std::path::Path;

use crate::{
    cli::exit::Failure,
    delivery::{spec::StrategySpec, strategies, template},
};

/// A kind alone keeps everything else that the policy says; `{ kind = "rolling", batch = 2 }` is a strategy of its own, as a template writes it.
pub(super) fn read(text: &str, policy: &StrategySpec) -> Result<StrategySpec, Failure> {
    let text = text.trim();
    if text.starts_with('{') {
        return parse(text);
    }
    if text == strategies::of(&policy.kind).name() {
        return Ok(policy.clone());
    }
    let StrategySpec { kind, .. } = parse(&format!("{text:?}"))?;
    // Which of old and new comes first belongs to the kind that it was said for.
    Ok(StrategySpec { kind, order: None, ..policy.clone() })
}

fn parse(value: &str) -> Result<StrategySpec, Failure> {
    template::strategy(Path::new("--strategy"), value).map_err(Failure::usage)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::delivery::spec::{Batch, StrategyKind};

    fn policy() -> StrategySpec {
        parse("{ kind = \"rolling\", batch = 3, bake = \"7s\", order = \"stop-first\" }").unwrap()
    }

    #[test]
    fn a_kind_alone_keeps_the_rest_of_the_policy() {
        let spec = read("recreate", &policy()).unwrap();
        assert_eq!((spec.kind, spec.order, spec.bake), (StrategyKind::Recreate, None, Duration::from_secs(7)));
        assert_eq!(read("rolling", &policy()).unwrap(), policy());
        let spec = read("{ kind = \"rolling\", batch = \"50%\" }", &policy()).unwrap();
        assert!(matches!(spec.kind, StrategyKind::Rolling { batch: Batch::Percent(50), .. }));
        assert_ne!(spec.bake, Duration::from_secs(7));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, hint) in [
            ("roling", "rolling"),
            ("canary", "steps"),
            ("{ kind = \"rolling\", batches = 2 }", "batch"),
            ("{ kind = \"rolling\"", "--strategy"),
            ("rolling\" }\n[x]", "rolling"),
        ] {
            let error = read(text, &policy()).unwrap_err().words();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
