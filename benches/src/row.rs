//! What a row is.

/// One comparison: the same work done by us and by our peers.
pub(crate) struct Row {
    /// As the report calls it.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// What the contenders' figures are in. Less is better.
    pub(crate) unit: &'static str,
    pub(crate) against: Against,
    /// The largest ratio that is good enough; rows without a target are only shown.
    pub(crate) target: Option<f64>,
    pub(crate) rounds: Rounds,
    /// Sets the contenders up, ours first. Those that cannot be had here are among them, as
    /// [`Contender::absent`], so that every report says so.
    pub(crate) contenders: fn() -> Vec<Contender>,
}

/// A row of the common kind: nanoseconds for each task, ours against the best peer's.
pub(crate) const ROW: Row = Row {
    name: "",
    what: "",
    unit: "ns",
    against: Against::BestPeer,
    target: None,
    rounds: Rounds::Many,
    contenders: Vec::new,
};

/// How often a row's work is done.
#[derive(Clone, Copy)]
pub(crate) enum Rounds {
    /// As often as the time allows: the figure is a time.
    Many,
    /// The same, and everybody equally often in a round: for work that differs so little that it
    /// would matter.
    Together,
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
    work: Result<Work, String>,
}

/// Does the work so many times, and returns the figure of one time.
pub(crate) type Work = Box<dyn FnMut(u64) -> f64>;

/// A contender that cannot be had here, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Absent {
    pub(crate) name: &'static str,
    pub(crate) why: String,
}

impl Contender {
    /// `run` does the work a given number of times and returns the figure of one time, in the
    /// row's unit. What it sets up and takes down it leaves out of the figure.
    pub(crate) fn new(name: &'static str, run: impl FnMut(u64) -> f64 + 'static) -> Self {
        Contender { name, work: Ok(Box::new(run)) }
    }

    /// The side that all rows compare with the rest.
    pub(crate) fn ours(run: impl FnMut(u64) -> f64 + 'static) -> Self {
        Contender::new("wg", run)
    }

    /// A figure that nobody has to be measured for.
    pub(crate) fn fixed(name: &'static str, figure: f64) -> Self {
        Contender::new(name, move |_| figure)
    }

    /// One that cannot be had here.
    pub(crate) fn absent(name: &'static str, why: impl Into<String>) -> Self {
        Contender { name, work: Err(why.into()) }
    }

    /// The same under another name, where one row has what another calls differently.
    pub(crate) fn called(self, name: &'static str) -> Self {
        Contender { name, ..self }
    }

    /// What it does, unless it is absent.
    pub(crate) fn into_work(self) -> Result<(&'static str, Work), Absent> {
        let name = self.name;
        self.work.map(|work| (name, work)).map_err(|why| Absent { name, why })
    }
}
