//! Go's `sync.WaitGroup`, with `add`, `done` and `wait`, for porting and for study.
