//! The projector against real servers: exactly one effect an event, whatever is delivered and whatever breaks.

mod exactly_once;
mod isolation;
mod poison;
mod process;
mod story;
mod views;
mod world;
