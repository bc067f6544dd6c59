package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// C1: a member comes and goes.
func token(times int, _ uint64) float64 {
	var group sync.WaitGroup
	start := time.Now()
	for range times {
		group.Add(1)
		group.Done()
	}
	return each(time.Since(start), times, 1)
}

// C2: nobody is there.
func idleWait(times int, _ uint64) float64 {
	var group sync.WaitGroup
	start := time.Now()
	for range times {
		group.Wait()
	}
	return each(time.Since(start), times, 1)
}

// C7: so many goroutines wait, and are released at once; until the last of them runs.
func release(times int, crowd uint64) float64 {
	var elapsed time.Duration
	for range times {
		var gate, gone sync.WaitGroup
		var there, ran atomic.Uint64
		last := make(chan time.Time, 1)
		gate.Add(1)
		for range crowd {
			gone.Go(func() {
				there.Add(1)
				gate.Wait()
				if ran.Add(1) == crowd {
					last <- time.Now()
				}
			})
		}
		for there.Load() < crowd {
			time.Sleep(time.Millisecond)
		}
		// The last one who came falls asleep.
		time.Sleep(time.Millisecond)
		start := time.Now()
		gate.Done()
		elapsed += (<-last).Sub(start)
		gone.Wait()
	}
	return each(elapsed, times, int(crowd))
}
