package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// T1 to T6: a group, so many goroutines, all of which are waited for.
func spawned(tasks int) work {
	return func(times int, steps uint64) float64 {
		start := time.Now()
		for range times {
			var group sync.WaitGroup
			if steps == 0 {
				for range tasks {
					group.Go(func() {})
				}
			} else {
				for seed := range tasks {
					group.Go(func() { compute(uint64(seed), steps) })
				}
			}
			group.Wait()
		}
		return each(time.Since(start), times, tasks)
	}
}

// T7: two goroutines that claim tasks one by one, and so keep a limit of two without counting.
func limited(times int, steps uint64) float64 {
	const tasks, limit = 10_000, 2
	start := time.Now()
	for range times {
		var group sync.WaitGroup
		var next atomic.Uint64
		for range limit {
			group.Go(func() {
				for seed := next.Add(1); seed <= tasks; seed = next.Add(1) {
					compute(seed, steps)
				}
			})
		}
		group.Wait()
	}
	return each(time.Since(start), times, tasks)
}

// T12: a hundred goroutines that claim naps one by one.
func sleepers(times int, _ uint64) float64 {
	const tasks, limit = 2_000, 100
	start := time.Now()
	for range times {
		var group sync.WaitGroup
		var next atomic.Int64
		for range limit {
			group.Go(func() {
				for next.Add(1) <= tasks {
					time.Sleep(time.Millisecond)
				}
			})
		}
		group.Wait()
	}
	return each(time.Since(start), times, tasks)
}
