//! Which template is looked at.

use super::Screen;
use crate::{
    board::{
        Order,
        edit::{self, About},
    },
    fleet::matrix::Column,
    ui::{layers::template::TemplateLayer, panel::Selection, screen::Request, view::View},
};

impl Screen {
    /// Opens the template of what is selected, in its environment, at its service.
    pub(super) fn open_template(&mut self, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        if view.simulated {
            self.say("a simulated fleet has no templates");
            return Vec::new();
        }
        let (app, environment, service) = match selection {
            Selection::Service { service, column } => {
                let environment = match column {
                    Some(Column::Environment(environment)) => environment.clone(),
                    Some(Column::Host(_)) | None => None,
                };
                (service.app.clone(), environment, Some(service.service.clone()))
            }
            Selection::Container(key) => match view.fleet.container(key) {
                Some(container) => {
                    let of = &container.identity;
                    (of.service.app.clone(), of.environment.clone(), Some(of.service.service.clone()))
                }
                None => (None, None, None),
            },
            Selection::Lane { app, environment } => (Some(app.clone()), environment.clone(), None),
            Selection::Deployment(id) => return self.show_template(About::Deployment(id.clone()), None, None),
            Selection::Nothing | Selection::Group | Selection::Host(_) | Selection::Event(_) | Selection::Line => (None, None, None),
        };
        match app {
            Some(app) => self.show_template(About::App(app), environment, service),
            None => {
                self.say("it belongs to no app, and a template is of an app");
                Vec::new()
            }
        }
    }

    fn show_template(
        &mut self,
        about: About,
        environment: Option<crate::fleet::EnvironmentId>,
        service: Option<crate::fleet::ServiceName>,
    ) -> Vec<Request> {
        self.layers.push(Box::new(TemplateLayer::open(about.clone(), environment, service)));
        vec![Request::Deliver(Order::Edit(edit::Order::Read(about)))]
    }
}
