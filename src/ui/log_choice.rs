//! Whose logs a selection means. Pure.

use super::{panel::Selection, view::View};
use crate::{
    fleet::{AppName, EnvironmentId, HostId, Selector, ServiceKey, matrix::Column},
    logs::{CastRule, LogWish},
    text::counted,
};

/// The logs of what is marked, else of what the cursor is on; where that is no object, of all that the filter selects.
///
/// # Errors
/// One line about why there are none.
pub fn of_selection(selection: &Selection, view: &View<'_>) -> Result<LogWish, String> {
    if !view.marks.is_empty() {
        let rule = CastRule::Containers(view.marks.iter().cloned().collect());
        return Ok(LogWish::Open { rule, title: counted(view.marks.len(), "marked container") });
    }
    let wish = match selection {
        Selection::Nothing | Selection::Group | Selection::Line => of_filter(view),
        Selection::Service { service, column: None } => of_service(service, None, service.to_string()),
        Selection::Service { service, column: Some(Column::Environment(environment)) } => {
            let place = environment.as_ref().map_or_else(|| "without an environment".to_owned(), |name| format!("in {name}"));
            of_service(service, Some(environment.clone()), format!("{service} {place}"))
        }
        Selection::Service { service, column: Some(Column::Host(host)) } => {
            let title = format!("{service} on {host}");
            match view.fleet.containers_of(service).filter(|container| container.key.host == *host).count() {
                0 => return Err(format!("nothing of {service} runs on {host}")),
                _ => LogWish::Open { rule: CastRule::Matching(selector(host, Some(service))?), title },
            }
        }
        Selection::Lane { app, environment } => of_lane(app, environment.as_ref())?,
        // The run's own layer knows which containers are its.
        Selection::Deployment(_) => of_filter(view),
        Selection::Host(host) => LogWish::Open { rule: CastRule::Matching(selector(host, None)?), title: host.to_string() },
        Selection::Container(key) | Selection::Event(key) => match view.fleet.container(key) {
            Some(container) => {
                LogWish::Open { rule: CastRule::Containers(vec![key.clone()]), title: format!("{} on {}", container.name, key.host) }
            }
            None => return Err(format!("it is gone from {}, and its log with it", key.host)),
        },
    };
    Ok(wish)
}

/// The logs of an app, in one environment or in all.
fn of_lane(app: &AppName, environment: Option<&EnvironmentId>) -> Result<LogWish, String> {
    let place = environment.map(|name| format!(" env:{name}")).unwrap_or_default();
    let rule = Selector::parse(&format!("app:{app}{place}")).map_err(|error| error.to_string())?;
    let title = environment.map_or_else(|| app.to_string(), |name| format!("{app} in {name}"));
    Ok(LogWish::Open { rule: CastRule::Matching(rule), title })
}

/// The logs of all that the filter selects.
pub fn of_filter(view: &View<'_>) -> LogWish {
    let title = match view.filter.text() {
        "" => "all containers".to_owned(),
        text => text.to_owned(),
    };
    LogWish::Open { rule: CastRule::Matching(view.filter.selector().cloned().unwrap_or_default()), title }
}

fn of_service(service: &ServiceKey, environment: Option<Option<crate::fleet::EnvironmentId>>, title: String) -> LogWish {
    LogWish::Open { rule: CastRule::Service { service: service.clone(), environment }, title }
}

/// Everything on a host, or one service there. Names with characters that mean something in a selector are quoted.
fn selector(host: &HostId, service: Option<&ServiceKey>) -> Result<Selector, String> {
    let of_service = service.map(|service| {
        let app = service.app.as_ref().map_or_else(|| "app:-".to_owned(), |app| format!("app:{}", quoted(app.as_str())));
        format!(" {app} service:{}", quoted(service.service.as_str()))
    });
    let text = format!("host:{}{}", quoted(host.as_str()), of_service.unwrap_or_default());
    Selector::parse(&text).map_err(|error| error.to_string())
}

fn quoted(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if plain { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fleet::ContainerKey, logs::Cast, ui::fixture::Scene};

    fn members(scene: &Scene, selection: &Selection) -> (String, usize) {
        match of_selection(selection, &scene.view()) {
            Ok(LogWish::Open { rule, title }) => (title, Cast::start(rule, &scene.fleet).0.sources().len()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_selection_means_its_containers() {
        let mut scene = Scene::drawn();
        let api = scene.fleet.containers().find(|container| container.identity.service.to_string() == "shop/api").unwrap();
        let (service, key) = (api.identity.service.clone(), api.key.clone());
        let column = |column| Selection::Service { service: service.clone(), column: Some(column) };
        for (selection, expected) in [
            (column(Column::Environment(Some("production".into()))), ("shop/api in production", 4)),
            (column(Column::Host("app-04".into())), ("shop/api on app-04", 1)),
            (Selection::Service { service: service.clone(), column: None }, ("shop/api", 7)),
            (Selection::Host("app-01".into()), ("app-01", 3)),
            (Selection::Nothing, ("all containers", 31)),
        ] {
            let (title, count) = members(&scene, &selection);
            assert_eq!((title.as_str(), count), expected, "{selection:?}");
        }
        let name = &scene.fleet.container(&key).unwrap().name;
        assert_eq!(members(&scene, &Selection::Container(key.clone())), (format!("{name} on {}", key.host), 1));
        assert!(of_selection(&column(Column::Host("app-01".into())), &scene.view()).is_err());
        let gone = ContainerKey { host: "app-01".into(), id: crate::fleet::ContainerId::new("gone") };
        assert!(of_selection(&Selection::Event(gone), &scene.view()).unwrap_err().contains("gone from app-01"));
        scene.marks.insert(key);
        assert_eq!(members(&scene, &Selection::Nothing), ("1 marked container".to_owned(), 1));
    }

    #[test]
    fn a_name_with_signs_is_quoted() {
        assert_eq!(quoted("app-01.x"), "app-01.x");
        assert_eq!(quoted("a b,c"), "\"a b,c\"");
    }
}
