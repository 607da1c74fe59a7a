//! What is done from a lane, or from what stands in one: a cell of the matrix, a container, a deployment.

use super::Screen;
use crate::{
    action::{Action, Context},
    board::{
        Order,
        lanes::{self, Pair, SIMULATED, Subject},
    },
    fleet::{AppName, EnvironmentId, matrix::Column},
    ui::{
        layers::{
            build_run::BuildLayer,
            compare::Compare,
            reason::{Reason, Wish},
        },
        panel::Selection,
        screen::Request,
        view::View,
    },
};

impl Screen {
    /// Opens what decides about a lane, and asks the desk what has to be known for it.
    pub(super) fn at_lane(&mut self, action: Action, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        if view.simulated {
            self.say(SIMULATED);
            return Vec::new();
        }
        let asked = match action {
            Action::DeliveryBuild => self.ask_build(selection, view),
            Action::DeliveryCompare => self.compare(selection, view),
            Action::DeliveryApprove => self.ask_reason(Wish::Approve, selection, view),
            Action::DeliveryReject => self.ask_reason(Wish::Reject, selection, view),
            Action::DeliveryFreeze => self.ask_reason(Wish::Freeze, selection, view),
            _ => return Vec::new(),
        };
        match asked {
            Ok(order) => vec![Request::Deliver(Order::Lanes(order))],
            Err(why) => {
                self.say(why);
                Vec::new()
            }
        }
    }

    fn ask_build(&mut self, selection: &Selection, view: &View<'_>) -> Result<lanes::Order, String> {
        let (app, _) = place(selection, view)?;
        self.layers.push(Box::new(BuildLayer::open(app.clone(), view)));
        Ok(lanes::Order::AskCommits(app))
    }

    fn compare(&mut self, selection: &Selection, view: &View<'_>) -> Result<lanes::Order, String> {
        let (app, environment) = lane(selection, view)?;
        let before = view.board.lanes.stop(&app, &environment).and_then(|stop| stop.before.clone());
        let pair = Pair { app, environment, before };
        self.layers.push(Box::new(Compare::open(pair.clone())));
        Ok(lanes::Order::Compare(pair))
    }

    fn ask_reason(&mut self, wish: Wish, selection: &Selection, view: &View<'_>) -> Result<lanes::Order, String> {
        let subject = match selection {
            Selection::Deployment(id) => Subject::Deployment(id.clone()),
            other => {
                let (app, environment) = lane(other, view)?;
                if wish != Wish::Freeze
                    && let Some(stop) = view.board.lanes.stop(&app, &environment)
                    && stop.tries.iter().all(|one| one.missing() == 0)
                {
                    return Err(format!("nothing waits for a yes in {environment} of {app}"));
                }
                Subject::Place { app, environment }
            }
        };
        self.layers.push(Box::new(Reason::open(wish, subject.clone(), view.now)));
        Ok(lanes::Order::Ask(subject))
    }
}

/// An app in an environment.
fn lane(selection: &Selection, view: &View<'_>) -> Result<(AppName, EnvironmentId), String> {
    let (app, environment) = place(selection, view)?;
    match (environment, selection) {
        (Some(environment), _) => Ok((app, environment)),
        (None, Selection::Lane { .. }) => Err(format!("commits and builds of {app} are in no environment: go to a lane that is one")),
        (None, Selection::Service { .. }) => Err("it takes an environment: go to a column that is one".to_owned()),
        (None, _) => Err(format!("this of {app} is in no environment that anybody named")),
    }
}

/// The app that a selection is about, and where, as far as it says.
fn place(selection: &Selection, view: &View<'_>) -> Result<(AppName, Option<EnvironmentId>), String> {
    let no_app = |what: &str| format!("{what} belongs to no app that anybody named: labels or [[identity]] name it");
    match selection {
        Selection::Lane { app, environment } => Ok((app.clone(), environment.clone())),
        Selection::Service { service, column } => {
            let app = service.app.clone().ok_or_else(|| no_app(&service.to_string()))?;
            let environment = match column {
                Some(Column::Environment(environment)) => environment.clone(),
                Some(Column::Host(_)) | None => None,
            };
            Ok((app, environment))
        }
        Selection::Container(key) => {
            let container = view.fleet.container(key).ok_or_else(|| format!("it is gone from {}", key.host))?;
            let app = container.identity.service.app.clone().ok_or_else(|| no_app(&container.name))?;
            Ok((app, container.identity.environment.clone()))
        }
        Selection::Deployment(_) => {
            let key = view.keymap.reverse(Action::PanelDelivery, &[Context::Global]).unwrap_or("Delivery");
            Err(format!("a build is of an app: {key} shows the lanes of all apps"))
        }
        Selection::Nothing | Selection::Group | Selection::Host(_) | Selection::Event(_) | Selection::Line => {
            Err("it takes an app: go to one".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::{
        board::News,
        ui::{fixture::Scene, panels::lane_sample as sample},
    };

    fn scene() -> Scene {
        let mut scene = Scene::drawn();
        scene.board.learn(News::Lanes(lanes::News::Ways(vec![sample::troubled()])));
        scene
    }

    fn shop_in(environment: &str) -> Selection {
        Selection::Lane { app: AppName::new("shop"), environment: Some(EnvironmentId::new(environment)) }
    }

    fn order(order: lanes::Order) -> Vec<Request> {
        vec![Request::Deliver(Order::Lanes(order))]
    }

    /// What the screen says at its foot.
    fn said(scene: &Scene, action: Action, selection: &Selection) -> String {
        let mut screen = Screen::default();
        assert_eq!(screen.at_lane(action, selection, &scene.view()), Vec::new());
        assert!(screen.layers.is_empty());
        screen.note.unwrap_or_default()
    }

    #[test]
    fn a_lane_a_cell_a_container_and_a_deployment_are_decided_about_alike() {
        let scene = scene();
        let place = Subject::Place { app: AppName::new("shop"), environment: EnvironmentId::new("production") };
        let container = scene.fleet.containers().find(|one| one.key.host.as_str() == "app-07").unwrap().key.clone();
        let service = crate::fleet::ServiceKey { app: Some(AppName::new("shop")), service: "web".into() };
        let deployment = sample::waiting(44).deployment;
        for (selection, subject) in [
            (shop_in("production"), place.clone()),
            (Selection::Service { service, column: Some(Column::Environment(Some("production".into()))) }, place.clone()),
            (Selection::Container(container), place),
            (Selection::Deployment(deployment.clone()), Subject::Deployment(deployment)),
        ] {
            for action in [Action::DeliveryFreeze, Action::DeliveryApprove, Action::DeliveryReject] {
                let mut screen = Screen::default();
                let asked = screen.at_lane(action, &selection, &scene.view());
                assert_eq!(asked, order(lanes::Order::Ask(subject.clone())), "{selection:?}");
                assert_eq!(screen.layers.last().map(|layer| layer.context()), Some(Context::Reason));
                // Out again, without effect.
                let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
                assert_eq!((screen.key(escape, &scene.view()), screen.layers.len()), (Vec::new(), 0));
            }
        }
    }

    #[test]
    fn what_cannot_be_decided_is_said_at_once() {
        let scene = scene();
        assert_eq!(said(&scene, Action::DeliveryApprove, &shop_in("testing")), "nothing waits for a yes in testing of shop");
        let build = Selection::Lane { app: AppName::new("shop"), environment: None };
        assert!(said(&scene, Action::DeliveryFreeze, &build).contains("go to a lane that is one"));
        let service = crate::fleet::ServiceKey { app: Some(AppName::new("shop")), service: "web".into() };
        assert!(said(&scene, Action::DeliveryFreeze, &Selection::Service { service, column: None }).contains("go to a column"));
        assert!(said(&scene, Action::DeliveryBuild, &Selection::Nothing).contains("it takes an app"));
        assert!(
            said(&scene, Action::DeliveryBuild, &Selection::Deployment(sample::waiting(44).deployment))
                .starts_with("a build is of an app: 6")
        );
        let simulated = Scene { simulated: true, ..scene };
        assert_eq!(said(&simulated, Action::DeliveryFreeze, &shop_in("testing")), SIMULATED);
    }

    #[test]
    fn builds_and_comparisons_are_asked_for() {
        let scene = scene();
        let mut screen = Screen::default();
        let build = screen.at_lane(Action::DeliveryBuild, &shop_in("testing"), &scene.view());
        assert_eq!(build, order(lanes::Order::AskCommits(AppName::new("shop"))));
        let before = Some(EnvironmentId::new("staging"));
        let pair = Pair { app: AppName::new("shop"), environment: EnvironmentId::new("production"), before };
        assert_eq!(screen.at_lane(Action::DeliveryCompare, &shop_in("production"), &scene.view()), order(lanes::Order::Compare(pair)));
    }
}
