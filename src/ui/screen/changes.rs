//! What changed near a selection.

use super::Screen;
use crate::{
    board::past::{Near, Product},
    fleet::{AppName, ContainerKey, EnvironmentId, EventKind, HostId, Identity, ServiceKey, matrix::Column},
    ui::{layers::PastLayer, panel::Selection, screen::Request, view::View},
};

impl Screen {
    pub(super) fn open_changes(&mut self, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        match near(selection, view) {
            Some(near) => self.open_past(PastLayer::Changes(near), view),
            None => {
                self.say("nothing is selected that something could have changed near");
                Vec::new()
            }
        }
    }
}

/// What a selection is about, as far as changes near it go.
fn near(selection: &Selection, view: &View<'_>) -> Option<Near> {
    match selection {
        Selection::Service { service, column } => Some(of_service(service, column.as_ref(), view)),
        Selection::Container(key) => {
            let container = view.fleet.container(key)?;
            Some(of_container(&container.identity, &key.host, &container.name))
        }
        Selection::Host(host) => Some(of_host(host)),
        Selection::Event(key) => Some(of_event(key, view)),
        Selection::Lane { app, environment } => Some(of_place(app, environment.as_ref())),
        Selection::Deployment(id) => {
            let deployment = view.board.past.deployment(id);
            let stand = view.board.past.moment.iter().flat_map(|listed| &listed.rows.stands);
            let stood = stand.filter_map(|stand| Some((stand.then.as_ref()?, stand))).find(|(good, _)| good.deployment == *id);
            let released = view.board.past.releases.iter().flat_map(|listed| &listed.rows);
            let good = released.flat_map(|row| row.good.iter().map(move |good| (row, good))).find(|(_, good)| good.deployment == *id);
            deployment
                .map(|one| of_place(&one.app, Some(&one.environment)))
                .or_else(|| stood.map(|(_, stand)| of_place(&stand.app, Some(&stand.environment))))
                .or_else(|| good.map(|(row, good)| of_place(&row.app, Some(&good.environment))))
        }
        Selection::Nothing | Selection::Group | Selection::Line => None,
    }
}

fn of_place(app: &AppName, environment: Option<&EnvironmentId>) -> Near {
    let title = environment.map_or_else(|| app.to_string(), |environment| format!("{app} in {environment}"));
    Near { title, product: Some(Product::App(app.clone())), environment: environment.cloned(), host: None }
}

fn of_service(service: &ServiceKey, column: Option<&Column>, view: &View<'_>) -> Near {
    let product = Some(Product::of(service));
    match column {
        None | Some(Column::Environment(None)) => Near { title: service.to_string(), product, environment: None, host: None },
        Some(Column::Environment(Some(environment))) => {
            Near { title: format!("{service} in {environment}"), product, environment: Some(environment.clone()), host: None }
        }
        Some(Column::Host(host)) => {
            let here = view.fleet.containers_of(service).find(|one| one.key.host == *host);
            let environment = here.and_then(|one| one.identity.environment.clone());
            Near { title: format!("{service} on {host}"), product, environment, host: Some(host.clone()) }
        }
    }
}

fn of_container(identity: &Identity, host: &HostId, name: &str) -> Near {
    Near {
        title: format!("{name} on {host}"),
        product: Some(Product::of(&identity.service)),
        environment: identity.environment.clone(),
        host: Some(host.clone()),
    }
}

fn of_host(host: &HostId) -> Near {
    Near { title: host.to_string(), product: None, environment: None, host: Some(host.clone()) }
}

/// The container of an event, there or gone; what else an event is about is its host's.
fn of_event(key: &ContainerKey, view: &View<'_>) -> Near {
    if let Some(container) = view.fleet.container(key) {
        return of_container(&container.identity, &key.host, &container.name);
    }
    let is_its = |event: &&std::sync::Arc<crate::fleet::EngineEvent>| {
        event.kind == EventKind::Container && event.host == key.host && event.id == key.id
    };
    let event = view.fleet.events().iter().rev().find(is_its);
    let about = event.and_then(|event| Some((event, view.fleet.identity_of(event)?)));
    about.map_or_else(|| of_host(&key.host), |(event, identity)| of_container(&identity, &key.host, &event.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        action::Action,
        board::{Watch, past::Wish},
        fleet::{ContainerId, fixture},
        ui::{fixture::Scene, panel::Refresh},
    };

    #[test]
    fn every_row_says_what_is_near_it() {
        let scene = Scene::drawn();
        let view = scene.view();
        let service = ServiceKey { app: Some("shop".into()), service: "api".into() };
        let container = scene.fleet.containers_of(&service).find(|one| one.key.host.as_str() == "app-07").unwrap().key.clone();
        let of = |column| Selection::Service { service: service.clone(), column };
        let production = Some(EnvironmentId::new("production"));
        for (selection, title, environment, host) in [
            (of(None), "shop/api", None, None),
            (of(Some(Column::Environment(production.clone()))), "shop/api in production", Some("production"), None),
            (of(Some(Column::Host("app-07".into()))), "shop/api on app-07", Some("production"), Some("app-07")),
            (Selection::Container(container.clone()), "api-1 on app-07", Some("production"), Some("app-07")),
            (Selection::Event(container), "api-1 on app-07", Some("production"), Some("app-07")),
            (Selection::Host("app-07".into()), "app-07", None, Some("app-07")),
            (Selection::Lane { app: "shop".into(), environment: production.clone() }, "shop in production", Some("production"), None),
        ] {
            let found = near(&selection, &view).unwrap();
            let told =
                (found.title.as_str(), found.environment.as_ref().map(EnvironmentId::as_str), found.host.as_ref().map(HostId::as_str));
            assert_eq!(told, (title, environment, host));
            assert_eq!(found.product.is_none(), matches!(selection, Selection::Host(_)));
        }
        // An event of something that is gone without a word is its host's.
        let gone = Selection::Event(ContainerKey { host: "app-07".into(), id: ContainerId::new("gone") });
        assert_eq!(near(&gone, &view).map(|near| near.title).as_deref(), Some("app-07"));
        assert_eq!(near(&Selection::Nothing, &view), None);
        assert_eq!(near(&Selection::Deployment("44-k3f9".parse().unwrap()), &view), None, "nobody told of it");
    }

    #[test]
    fn one_key_from_the_home_panel_and_one_back() {
        let scene = Scene::drawn();
        let mut screen = Screen::default();
        screen.refresh(Refresh::All, &scene.view());
        assert_eq!(screen.act(Action::ChangesShow, &scene.view()), []);
        let Watch::Past(Wish::Changes { since, .. }) = screen.watches(&scene.view()) else { panic!("nothing is watched") };
        assert_eq!(fixture::now() - since, chrono::TimeDelta::hours(24));
        screen.act(Action::LayerClose, &scene.view());
        assert_eq!(screen.watches(&scene.view()), Watch::Nothing);
    }
}
