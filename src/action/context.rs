//! Where keys mean something: the whole console, a panel, or a layer above it; and what the cursor may stand on.

use std::fmt;

use thiserror::Error;

use crate::text::nearest;

/// Whether a [`Context`] is the console itself, one of its panels, or a layer above a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextKind {
    /// Holds everywhere, unless something nearer binds the same key.
    Global,
    /// One of the panels, of which exactly one has the focus.
    Panel,
    /// Something opened above the panel, which closes with `esc`.
    Layer,
}

/// Declares the contexts: variant, kind, whether plain characters are text there, name in keymap files, doc.
macro_rules! contexts {
    ($($variant:ident $kind:ident $text:literal $name:literal $doc:literal;)+) => {
        /// A place with its own meaning of keys. The names are the tables of a keymap file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Context {
            $(#[doc = $doc] $variant,)+
        }

        impl Context {
            /// Every context, in the order in which help lists them.
            pub const ALL: &'static [Context] = &[$(Context::$variant,)+];

            /// The table's name in a keymap file.
            pub const fn name(self) -> &'static str {
                match self { $(Context::$variant => $name,)+ }
            }

            /// One line about it, for help.
            pub const fn doc(self) -> &'static str {
                match self { $(Context::$variant => $doc,)+ }
            }

            /// Console, panel or layer.
            pub const fn kind(self) -> ContextKind {
                match self { $(Context::$variant => ContextKind::$kind,)+ }
            }

            /// Whether a line of text is typed here: plain characters are text, and no binding of one can hold.
            pub const fn takes_text(self) -> bool {
                match self { $(Context::$variant => $text,)+ }
            }
        }
    };
}

contexts! {
    Global        Global false "global"         "Everywhere, unless a panel or a layer binds the same key.";
    Versions      Panel  false "versions"       "Which version of which service runs where.";
    Containers    Panel  false "containers"     "Every container of every host in one table.";
    Hosts         Panel  false "hosts"          "Every host, its link and what it costs.";
    Logs          Panel  false "logs"           "The lines of one or many containers, merged by time.";
    Resources     Panel  false "resources"      "Processor, memory, network and disk, by scope.";
    Delivery      Panel  false "delivery"       "The way of a version from commit to production.";
    History       Panel  false "history"        "What was deployed, when, and by whom.";
    Events        Panel  false "events"         "What the engines report, as it happens.";
    Triage        Panel  false "triage"         "What is bad now, worst first.";
    Stock         Panel  false "stock"          "Images, volumes and networks of every host.";
    Palette       Layer  true  "palette"        "The command palette: type to find an action, a host or a service.";
    Help          Layer  false "help"           "The live table of keys.";
    Filter        Layer  true  "filter"         "A line of text being typed: a filter or a search.";
    Confirm       Layer  true  "confirm"        "The question before an act.";
    ActMenu       Layer  false "act-menu"       "What can be done to the selected or marked containers.";
    ActResults    Layer  false "act-results"    "How far an act is on each of its targets.";
    Inspect       Layer  false "inspect"        "What the engine knows about one object, whole.";
    Processes     Layer  false "processes"      "The processes of one container.";
    ColumnChooser Layer  false "column-chooser" "Which columns a table shows.";
    ThemePicker   Layer  false "theme-picker"   "The themes, tried on while the cursor moves.";
    Sheet         Layer  true  "sheet"          "The plan of a deployment, before anything happens.";
    Reason        Layer  true  "reason"         "A text being typed: why.";
    Run           Layer  false "run"            "A deployment under way, by host and step.";
    Compare       Layer  false "compare"        "Two lanes side by side.";
    Changes       Layer  false "changes"        "What changed near something lately.";
    Template      Layer  false "template"       "A template as it reads in each environment.";
    Form          Layer  true  "form"           "Fields being filled in.";
    Menu          Layer  false "menu"           "A short list to choose one from.";
    Detail        Layer  false "detail"         "The whole of what a row had to cut.";
}

/// A name that is no context.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown context {name:?}{}", nearest.map(|n| format!(" (did you mean {n:?}?)")).unwrap_or_default())]
pub struct UnknownContext {
    /// As written.
    pub name: String,
    /// The known context most like it.
    pub nearest: Option<&'static str>,
}

impl Context {
    /// The context of that name.
    ///
    /// # Errors
    /// [`UnknownContext`] with the nearest known name.
    pub fn parse(name: &str) -> Result<Self, UnknownContext> {
        Self::ALL
            .iter()
            .copied()
            .find(|context| context.name() == name)
            .ok_or_else(|| UnknownContext { name: name.to_owned(), nearest: nearest(name, Self::ALL.iter().map(|c| c.name())) })
    }

    /// The contexts in which a key is looked up, nearest first.
    ///
    /// A layer covers its panel: keys fall through it to the global table, never to the panel under it, so that
    /// nothing acts on what the eye is not on.
    pub const fn focus(panel: Context, layer: Option<Context>) -> [Context; 2] {
        match layer {
            Some(layer) => [layer, Context::Global],
            None => [panel, Context::Global],
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the cursor stands on: the kind of object an action would be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selected {
    /// Nothing: an empty table, or a heading.
    Nothing,
    /// A group's heading.
    Group,
    /// A service in one environment: a cell of the version matrix.
    Service,
    /// A container, or several marked ones.
    Container,
    /// A host.
    Host,
    /// An event.
    Event,
    /// A lane: an app in an environment, or its commits and builds.
    Lane,
    /// A deployment.
    Deployment,
    /// An entry of a layer: a theme, a column, a line.
    Entry,
}

impl Selected {
    /// The word for it in a sentence.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Group => "a group",
            Self::Service => "a service",
            Self::Container => "a container",
            Self::Host => "a host",
            Self::Event => "an event",
            Self::Lane => "a lane",
            Self::Deployment => "a deployment",
            Self::Entry => "an entry",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_mistakes_get_a_suggestion() {
        for context in Context::ALL {
            assert_eq!(Context::parse(context.name()), Ok(*context));
        }
        let error = Context::parse("container").unwrap_err();
        assert_eq!(error.to_string(), "unknown context \"container\" (did you mean \"containers\"?)");
    }

    #[test]
    fn a_layer_covers_its_panel() {
        assert_eq!(Context::focus(Context::Hosts, None), [Context::Hosts, Context::Global]);
        assert_eq!(Context::focus(Context::Hosts, Some(Context::Help)), [Context::Help, Context::Global]);
    }
}
