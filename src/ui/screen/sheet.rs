//! Which deployment a plan is asked for.

use super::Screen;
use crate::{
    action::Action,
    board::{
        self,
        sheet::{About, Kind, Wish},
    },
    fleet::{AppName, EnvironmentId, HostId, ServiceKey, matrix::Column},
    ui::{layers::sheet::SheetLayer, panel::Selection, screen::Request, view::View},
};

impl Screen {
    pub(super) fn open_sheet(&mut self, action: Action, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        let kind = match action {
            Action::DeliveryPromote => Kind::Promote,
            Action::DeliveryRollBack => Kind::RollBack,
            Action::DeliveryApplyConfig => Kind::Apply,
            _ => Kind::Deploy,
        };
        if view.simulated {
            self.say("a simulated fleet takes no deployments, and is gone with this process");
            return Vec::new();
        }
        match about(selection, view) {
            Ok(about) => {
                self.questions += 1;
                let (layer, order) = SheetLayer::open(self.questions, Wish::new(kind, about));
                self.layers.push(Box::new(layer));
                vec![Request::Deliver(board::Order::Sheet(order))]
            }
            Err(why) => {
                self.say(why);
                Vec::new()
            }
        }
    }
}

/// What a selection says of where.
fn about(selection: &Selection, view: &View<'_>) -> Result<About, String> {
    match selection {
        Selection::Lane { app, environment } => Ok(About::Place { app: app.clone(), environment: environment.clone() }),
        Selection::Deployment(id) => Ok(About::Deployment(id.clone())),
        Selection::Service { service, column } => {
            let environment = match column {
                Some(Column::Environment(environment)) => environment.clone(),
                Some(Column::Host(host)) => only_environment(service, host, view),
                None => None,
            };
            Ok(About::Place { app: app_of(service)?, environment })
        }
        Selection::Container(key) => {
            let container = view.fleet.container(key).ok_or("the container is gone")?;
            let (app, environment) = (app_of(&container.identity.service)?, container.identity.environment.clone());
            Ok(About::Place { app, environment })
        }
        Selection::Nothing | Selection::Group | Selection::Host(_) | Selection::Event(_) | Selection::Line => {
            Err("needs a service, a container, a lane or a deployment".to_owned())
        }
    }
}

fn app_of(service: &ServiceKey) -> Result<AppName, String> {
    let none = || format!("{} belongs to no app: an [[identity]] rule of the configuration can say which", service.service);
    service.app.clone().ok_or_else(none)
}

/// Where a service runs on a host, unless that is in several places.
fn only_environment(service: &ServiceKey, host: &HostId, view: &View<'_>) -> Option<EnvironmentId> {
    let mut found = view.fleet.containers_of(service).filter(|one| one.key.host == *host).map(|one| one.identity.environment.as_ref());
    let first = found.next()?;
    found.all(|other| other == first).then(|| first.cloned())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::{Order, sheet},
        ui::{
            fixture::Scene,
            panel::{PanelId, Refresh},
        },
    };

    fn key(screen: &mut Screen, scene: &Scene, c: char) -> Vec<Request> {
        use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
        screen.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &scene.view())
    }

    fn wish(requests: &[Request]) -> &Wish {
        match requests {
            [Request::Deliver(Order::Sheet(sheet::Order::Plan { wish, .. }))] => wish,
            other => panic!("{other:?}"),
        }
    }

    /// The home panel's cursor stands on a cell: one key shows the plan, the next starts it.
    #[test]
    fn a_rollback_of_the_selected_service_is_one_key_away() {
        let scene = Scene::drawn();
        let mut screen = Screen::default();
        screen.refresh(Refresh::All, &scene.view());
        assert_eq!(screen.panel().id(), PanelId::Versions);
        let asked = key(&mut screen, &scene, 'r');
        let place = About::Place { app: AppName::new("billing"), environment: Some(EnvironmentId::new("production")) };
        assert_eq!(*wish(&asked), Wish::new(Kind::RollBack, place));
    }

    #[test]
    fn who_may_only_look_is_told_why_and_nothing_opens() {
        let scene = Scene::drawn().read_only();
        let mut screen = Screen::default();
        screen.refresh(Refresh::All, &scene.view());
        for c in ['d', 'p', 'r'] {
            assert_eq!(key(&mut screen, &scene, c), []);
            assert!(screen.layers.is_empty() && screen.note.as_deref().is_some_and(|note| note.contains("read-only")), "{c}");
        }
    }

    #[test]
    fn a_container_knows_its_place_and_a_host_has_none() {
        let scene = Scene::drawn();
        let view = scene.view();
        let container =
            scene.fleet.containers().find(|one| one.identity.environment.is_some() && one.identity.service.app.is_some()).unwrap();
        let found = about(&Selection::Container(container.key.clone()), &view).unwrap();
        let expected =
            About::Place { app: container.identity.service.app.clone().unwrap(), environment: container.identity.environment.clone() };
        assert_eq!(found, expected);
        assert!(about(&Selection::Host(container.key.host.clone()), &view).is_err());
    }
}
