//! What a template means, judged as a whole: one file per question.

mod after;
mod clashes;
mod needs;
mod order;
mod reach;
mod secrets;
mod surroundings;
mod traffic;
mod warnings;

use super::{Surroundings, Template, places::Places};
use crate::{
    delivery::spec::Rendered,
    fleet::EnvironmentId,
    written::{Fault, Origin},
};

pub(super) use warnings::warnings;

/// Everything that is wrong beyond single keys.
pub(super) fn faults(template: &Template, around: Option<&Surroundings>, faults: &mut Vec<Fault>) {
    let mut judge = Judge::new(template, faults);
    needs::check(&mut judge);
    after::check(&mut judge);
    clashes::check(&mut judge);
    traffic::check(&mut judge);
    order::check(&mut judge);
    reach::check(&mut judge);
    secrets::check(&mut judge);
    if let Some(around) = around {
        surroundings::check(&mut judge, around);
    }
}

/// A template being judged, with what each environment runs by it.
struct Judge<'a> {
    template: &'a Template,
    places: &'a Places,
    rendered: Vec<(&'a EnvironmentId, Rendered)>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Judge<'a> {
    fn new(template: &'a Template, faults: &'a mut Vec<Fault>) -> Self {
        let rendered = template.environments.keys().filter_map(|name| Some((name, template.render(name)?))).collect();
        Self { template, places: &template.places, rendered, faults }
    }

    fn fault(&mut self, origin: &Origin, message: impl AsRef<str>) {
        self.faults.push(Fault::new(origin, message));
    }
}
