//! What is kept of a failure before it is taken back: the containers that were at it, as they stood and in their own last words.

use std::sync::Arc;

use super::{perform::Scene, port::Port, records::Records};
use crate::{
    delivery::{plan::Plan, release::label, steps::Step},
    fleet::ContainerSummary,
};

/// So much of each log.
const LINES: u32 = 2_000;

/// Keeps it; `None` when nothing could be kept, which is logged and changes nothing.
pub(super) async fn keep<P: Port, R: Records>(scene: &Scene<'_, P, R>, plan: &Plan, step: &Step, because: &str) -> Option<Arc<str>> {
    let mut files = vec![("failure.txt".to_owned(), format!("{}\n{}\n{because}\n", plan.headline(), step).into_bytes())];
    if let Some(host) = &step.host {
        let all = match scene.port.containers(host).await {
            Ok(all) => all,
            Err(error) => {
                files.push((format!("{host}.txt"), format!("no answer: {error}\n").into_bytes()));
                Vec::new()
            }
        };
        let ours = |found: &&ContainerSummary| {
            let is = |key: &str, value: &str| found.labels.get(key).is_some_and(|label| **label == *value);
            let of_service = step.service.as_ref().is_none_or(|service| is(label::SERVICE, service.as_str()));
            is(label::APP, plan.app.as_str()) && is(label::ENVIRONMENT, plan.environment.as_str()) && of_service
        };
        for found in all.iter().filter(ours) {
            let life = scene.port.life(host, &found.id).await;
            files.push((
                format!("{host}-{}.txt", found.name),
                format!("{} {} {}\n{life:?}\n", found.name, found.image, found.state).into_bytes(),
            ));
            match scene.port.tail(host, &found.id, LINES).await {
                Ok(text) if text.is_empty() => {}
                Ok(text) => files.push((format!("{host}-{}.log", found.name), text.into_bytes())),
                Err(error) => files.push((format!("{host}-{}.log", found.name), format!("no log: {error}\n").into_bytes())),
            }
        }
    }
    match scene.records.bundle(scene.deployment, files).await {
        Ok(place) => Some(place),
        Err(error) => {
            tracing::warn!(deployment = %scene.deployment, %error, "the evidence is not kept");
            None
        }
    }
}
