//! The run on a simulated fleet: engines that keep names and ports unique and obey restart policies, a balancer, a clock that only moves when
//! everybody waits, and a death before and after everything that leaves this process.

mod clock;
mod faults;
mod matrix;
mod scenario;
mod world;
