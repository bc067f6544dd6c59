//! What a row is.

/// One comparison: the same work done by us and by our peers.
pub(crate) struct Row {
    /// As speed.md calls it.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// What the contenders' figures are in. Less is better.
    pub(crate) unit: &'static str,
    pub(crate) against: Against,
    /// The largest ratio that is good enough; rows without a target are only shown.
    pub(crate) target: Option<f64>,
    /// Peers that speed.md names and that no contender stands for; every report says so.
    pub(crate) absent: &'static [&'static str],
    pub(crate) rounds: Rounds,
    /// Sets the contenders up, ours first. None if they cannot be had here.
    pub(crate) contenders: fn() -> Vec<Contender>,
}

/// How often a row's work is done.
#[derive(Clone, Copy)]
pub(crate) enum Rounds {
    /// As often as the time allows: the figure is a time.
    Many,
    /// Once, this many times in one go: the figure is a count that does not vary, or the work
    /// takes long. The second number is for a quick run.
    Once(u64, u64),
}

/// Whose figure ours is divided by.
pub(crate) enum Against {
    /// Whoever turns out to be the best.
    BestPeer,
    Peer(&'static str),
}

/// One way of doing a row's work.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    run: Box<dyn FnMut(u64) -> f64>,
}

impl Contender {
    /// `run` does the work a given number of times and returns the figure of one time, in the
    /// row's unit. What it sets up and takes down it leaves out of the figure.
    pub(crate) fn new(name: &'static str, run: impl FnMut(u64) -> f64 + 'static) -> Self {
        Contender { name, run: Box::new(run) }
    }

    /// The side that all rows compare with the rest.
    pub(crate) fn ours(run: impl FnMut(u64) -> f64 + 'static) -> Self {
        Contender::new("wg", run)
    }

    /// A figure that nobody has to be measured for.
    pub(crate) fn fixed(name: &'static str, figure: f64) -> Self {
        Contender::new(name, move |_| figure)
    }

    pub(crate) fn run(&mut self, times: u64) -> f64 {
        (self.run)(times)
    }
}
