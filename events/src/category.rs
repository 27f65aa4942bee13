//! A category, by which courses are found. Its name is unique within its tenant (a claim, see `log::claims`).

use crate::{Aggregate, Event, ids::CategoryId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to a category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum CategoryEvent {
    /// The category came to be.
    #[serde(rename = "registrar.category.created.v1")]
    Created {
        /// Name, as it is shown.
        name: String,
        /// What belongs in it.
        description: Option<String>,
    },
}

/// A category as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Category {
    /// Name; `None` until it is created.
    pub name: Option<String>,
}

impl Aggregate for Category {
    const STREAM_TYPE: &'static str = "category";
    type Id = CategoryId;
    type Event = CategoryEvent;

    fn evolve(&mut self, event: &CategoryEvent) {
        match event {
            CategoryEvent::Created { name, .. } => self.name = Some(name.clone()),
        }
    }

    fn own(event: Event) -> Option<CategoryEvent> {
        if let Event::Category(event) = event { Some(event) } else { None }
    }
}
