//! What a colour is for. Screens name roles, never colours; themes give each role its style.

/// Declares the roles: variant, id, doc.
macro_rules! roles {
    ($($variant:ident $id:literal $doc:literal;)+) => {
        /// What a style is for. A theme that does not name a role falls back by dots: `table.row.cursor`, `table.row`,
        /// `table`, then `text`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Role {
            $(#[doc = $doc] $variant,)+
        }

        impl Role {
            /// Every role.
            pub const ALL: &'static [Role] = &[$(Role::$variant,)+];

            /// Its name in theme files, `area.part.state`.
            pub const fn id(self) -> &'static str {
                match self { $(Role::$variant => $id,)+ }
            }
        }
    };
}

roles! {
    Screen            "screen"             "The ground that everything stands on.";
    Text              "text"               "Ordinary text: a healthy fleet is almost only this.";
    TextDim           "text.dim"           "What matters less: units, rules, ages, a digest.";
    TextStrong        "text.strong"        "What names the thing the eye is on.";
    Accent            "accent"             "Where I am.";
    StateBad          "state.bad"          "Bad now: unhealthy, crash loop, lost, failed.";
    StateAttention    "state.attention"    "Look here: drift, starting, near a limit.";
    StateProgress     "state.progress"     "Under way.";
    StateDone         "state.done"         "Just finished well; never the colour of normal.";
    StateStale        "state.stale"        "Last known, not current.";
    HeaderText        "header.text"        "The line at the top.";
    HeaderName        "header.name"        "The program's name in it.";
    TabText           "tab.text"           "A panel's tab.";
    TabActive         "tab.active"         "The tab of the panel in front.";
    FrameRule         "frame.rule"         "Rules and borders.";
    FrameTitle        "frame.title"        "The title in a rule.";
    FrameFocused      "frame.focused"      "The rule and title of the pane that has the keys.";
    TableHeader       "table.header"       "Column names.";
    TableCursor       "table.row.cursor"   "The row or cell under the cursor.";
    TableMarked       "table.row.marked"   "A marked row.";
    TableNew          "table.row.new"      "A row that has just come.";
    TableGroup        "table.group"        "A group's heading.";
    HintKey           "hint.key"           "A key in a hint.";
    HintText          "hint.text"          "What the key does.";
    HintDenied        "hint.denied"        "An action that cannot run here, and why.";
    InputText         "input.text"         "Typed text.";
    InputPrompt       "input.prompt"       "The sign before typed text, and the grey example in an empty line.";
    InputCursor       "input.cursor"       "The cell of the text cursor.";
    MatchText         "match.text"         "The characters that a search found.";
    LayerGround       "layer.ground"       "The ground of what is opened above a panel.";
    LayerRule         "layer.rule"         "Its border.";
    LayerTitle        "layer.title"        "Its title.";
    LayerCursor       "layer.cursor"       "The entry under the cursor in it.";
    LogSourceA        "log.source.a"       "The tag of a log's first source.";
    LogSourceB        "log.source.b"       "The tag of a log's second source.";
    LogSourceC        "log.source.c"       "The tag of a log's third source.";
    LogSourceD        "log.source.d"       "The tag of a log's fourth source.";
    LogSourceE        "log.source.e"       "The tag of a log's fifth source.";
    LogSourceF        "log.source.f"       "The tag of a log's sixth source.";
    LogSourceG        "log.source.g"       "The tag of a log's seventh source.";
    LogSourceH        "log.source.h"       "The tag of a log's eighth source.";
    InspectKey        "inspect.key"        "A field's name in the inspect view.";
    InspectString     "inspect.string"     "A text there.";
    InspectNumber     "inspect.number"     "A number there.";
    InspectLiteral    "inspect.literal"    "true, false, null.";
}

/// The roles of the tags of logs' sources, in turn.
pub const LOG_SOURCES: [Role; 8] = [
    Role::LogSourceA,
    Role::LogSourceB,
    Role::LogSourceC,
    Role::LogSourceD,
    Role::LogSourceE,
    Role::LogSourceF,
    Role::LogSourceG,
    Role::LogSourceH,
];
