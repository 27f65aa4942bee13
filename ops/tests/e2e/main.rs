//! The whole system, as its users see it: the real processes on real servers, over HTTP.

mod capabilities;
mod world;
