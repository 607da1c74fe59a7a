//! The fleet itself: hosts, containers, images, recent events; and [`Fleet::apply`], its only writer.
